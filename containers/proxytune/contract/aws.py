"""Clients of AWS for a container, always with an explicit region.

boto3 does not read AWS_REGION, and no document of SageMaker promises AWS_DEFAULT_REGION: without a region,
boto3 sends requests for S3 to us-east-1 and creates no other client at all.
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
        service: boto3's name of the service, for example `s3`.
        options: of `boto3.client`.

    Raises:
        ProxytuneError: RegionUnknown.
    """
    # Heavy, and most jobs have no network.
    import boto3

    return boto3.client(service, region_name=region(), **options)


def region() -> str:
    """Read the region of this container.

    A model's environment has AWS_REGION, as the run sets it there. SageMaker gives every training job its
    ARN in TRAINING_JOB_ARN.

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
