"""Report a missing image as ECR does.

MiniStack's ``DescribeImages`` leaves out the images that it does not have and answers with the rest. AWS
fails with ``ImageNotFoundException``, by which the CDK's command line and plan-run decide that an image
must be pushed.
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import error_response_json, get_account_id
from ministack.services import ecr

_original_describe = ecr._describe_images


def describe_images(data: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Describe images, or fail for the first that does not exist."""
    name = data.get("repositoryName", "")
    for wanted in data.get("imageIds") or []:
        if name in ecr._repositories and ecr._find_image(name, wanted) is None:
            return _not_found(name, wanted)
    return _original_describe(data)


def apply() -> None:
    """Replace the original operation."""
    ecr._describe_images = describe_images


def _not_found(name: str, wanted: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    digest, tag = wanted.get("imageDigest", "null"), wanted.get("imageTag", "null")
    message = (
        f"The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the "
        f"repository with name '{name}' in the registry with id '{get_account_id()}'"
    )
    return error_response_json("ImageNotFoundException", message, 400)
