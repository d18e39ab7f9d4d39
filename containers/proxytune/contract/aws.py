"""AWS clients of a container, always with an explicit region.

boto3 does not read AWS_REGION, and SageMaker's documentation does not promise AWS_DEFAULT_REGION. Without a
region, boto3 sends S3 requests to us-east-1 and fails to create any other client.
"""

from __future__ import annotations

import os
import re
from typing import Any

from proxytune.contract.errors import ProxytuneError

# arn:aws:sagemaker:REGION:ACCOUNT:training-job/NAME
REGION_OF_JOB = re.compile(r"arn:aws[a-z-]*:sagemaker:([a-z0-9-]+):")


def client(service: str, **options: Any) -> Any:
    """Create a boto3 client in the region of this container.

    Args:
        service: boto3's name for the service, such as `s3`.
        options: further options of `boto3.client`.

    Raises:
        ProxytuneError: RegionUnknown.
    """
    # Imported here because it is slow, and most jobs have no network and never need it.
    import boto3

    return boto3.client(service, region_name=region(), **options)


def region() -> str:
    """Read the region of this container.

    For a transform, the run sets AWS_REGION in the model's environment. For a training, SageMaker sets
    TRAINING_JOB_ARN, which contains the region.

    Raises:
        ProxytuneError: RegionUnknown.
    """
    named = os.environ.get("AWS_REGION")
    if named:
        return named
    arn = os.environ.get("TRAINING_JOB_ARN", "")
    found = REGION_OF_JOB.match(arn)
    if found:
        return found[1]
    raise ProxytuneError(
        "RegionUnknown",
        what="The container does not know its AWS region",
        given=f"AWS_REGION is not set, and TRAINING_JOB_ARN is {arn or 'not set'}",
        allowed="a region in AWS_REGION, or the ARN of a SageMaker training job in TRAINING_JOB_ARN",
        remedy="deploy the stack again, with the version of the command line, then start the job again",
    )
