"""The actions that Proxytune's roles use, and the condition keys that are filled for them.

The names are from the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html). A call or a policy with
anything else is refused, because a wrong answer would hide a fault until the first deployment to an account.
"""

from __future__ import annotations

_NAMES: dict[str, tuple[str, ...]] = {
    "cloudwatch": ("PutMetricData",),
    "dynamodb": ("DeleteItem", "DescribeTable", "GetItem", "PutItem", "Query", "UpdateItem"),
    "ecr": (
        "BatchCheckLayerAvailability",
        "BatchGetImage",
        "DescribeImages",
        "GetAuthorizationToken",
        "GetDownloadUrlForLayer",
    ),
    "iam": ("PassRole",),
    "lambda": ("InvokeFunction",),
    "logs": (
        "CreateLogDelivery",
        "CreateLogGroup",
        "CreateLogStream",
        "DeleteLogDelivery",
        "DescribeLogGroups",
        "DescribeLogStreams",
        "DescribeResourcePolicies",
        "GetLogDelivery",
        "ListLogDeliveries",
        "PutLogEvents",
        "PutResourcePolicy",
        "PutRetentionPolicy",
        "UpdateLogDelivery",
    ),
    "s3": (
        "AbortMultipartUpload",
        # The CDK sets notifications in a custom resource.
        *("GetBucketNotification", "PutBucketNotification"),
        "DeleteObject",
        "DeleteObjectVersion",
        "GetObject",
        "GetObjectVersion",
        *("GetBucketLocation", "GetBucketPublicAccessBlock", "GetBucketVersioning"),
        *("GetEncryptionConfiguration", "GetLifecycleConfiguration"),
        "ListBucket",
        "ListBucketMultipartUploads",
        "ListBucketVersions",
        "PutObject",
    ),
    "sagemaker": (
        *(f"Create{kind}" for kind in ("Model", "TrainingJob", "TransformJob")),
        *(f"Delete{kind}" for kind in ("Model", "Tags", "TrainingJob")),
        *(f"Describe{kind}" for kind in ("Model", "TrainingJob", "TransformJob")),
        *(f"List{kind}" for kind in ("Models", "Tags", "TrainingJobs", "TransformJobs")),
        *("AddTags", "StopTrainingJob", "StopTransformJob"),
    ),
    "secretsmanager": ("DescribeSecret", "GetSecretValue"),
    "servicequotas": (
        *("GetAWSDefaultServiceQuota", "GetServiceQuota"),
        *("ListAWSDefaultServiceQuotas", "ListServiceQuotas"),
    ),
    "sns": ("ListSubscriptionsByTopic", "Publish", "Subscribe"),
    "sqs": ("GetQueueAttributes", "GetQueueUrl", "SendMessage"),
    "states": (
        *(
            "CreateStateMachine",
            "DeleteStateMachine",
            "UpdateStateMachine",
            "ValidateStateMachineDefinition",
        ),
        *(
            "DescribeExecution",
            "DescribeStateMachine",
            "DescribeStateMachineForExecution",
        ),
        *(
            "GetExecutionHistory",
            "ListExecutions",
            "ListStateMachines",
            "ListTagsForResource",
        ),
        *(
            "RedriveExecution",
            "SendTaskFailure",
            "SendTaskHeartbeat",
            "SendTaskSuccess",
        ),
        *("StartExecution", "StopExecution", "TagResource", "UntagResource"),
    ),
    "sts": ("AssumeRole", "GetCallerIdentity", "TagSession"),
}

#: Services that the CDK's roles use, whose actions are called like their operations.
_SERVICES = ("cloudformation:", "ecr:", "ssm:")

_ACTIONS = frozenset(f"{service}:{name}" for service, names in _NAMES.items() for name in names)

#: Keys of every request (reference_policies_condition-keys in the IAM User Guide).
_GLOBAL_KEYS = frozenset(
    f"aws:{name}"
    for name in (
        *("principalarn", "principalaccount", "principaltype", "principalisawsservice"),
        *(
            "principalservicename",
            "requestedregion",
            "resourceaccount",
            "securetransport",
        ),
        # The owner is in the policy that a topic has by default.
        *("sourceaccount", "sourcearn", "sourceowner", "tagkeys"),
        # Not in traces, because their values differ on each start.
        *("currenttime", "epochtime", "sourceip", "userid"),
    )
)
_SERVICE_KEYS = frozenset(
    (
        "cloudwatch:namespace",
        *("dynamodb:attributes", "dynamodb:select"),
        "iam:passedtoservice",
        *(
            "s3:delimiter",
            "s3:max-keys",
            "s3:prefix",
            "s3:resourceaccount",
            "s3:tlsversion",
        ),
        *("s3:x-amz-acl", "s3:x-amz-server-side-encryption"),
        *("sagemaker:instancetypes", "sagemaker:intercontainertrafficencryption"),
        *(
            "sagemaker:keepaliveperiod",
            "sagemaker:maxruntimeinseconds",
            "sagemaker:modelarn",
        ),
        *(
            "sagemaker:networkisolation",
            "sagemaker:outputkmskey",
            "sagemaker:volumekmskey",
        ),
        *("sagemaker:vpcsecuritygroupids", "sagemaker:vpcsubnets"),
        *("sns:endpoint", "sns:protocol"),
        "sts:externalid",
    )
)
#: Services whose calls carry the tags of the resource they name.
_TAGGED_SERVICES = ("sagemaker:", "states:")


def is_known_action(action: str) -> bool:
    """Return True if the condition keys of an action are filled wherever AWS fills them."""
    return action in _ACTIONS or action.startswith(_SERVICES)


def is_known_key(key: str, action: str) -> bool:
    """Return True if a condition key is filled for the action wherever AWS fills it."""
    key = key.lower()
    if key.startswith("aws:resourcetag/"):
        return action.lower().startswith(_TAGGED_SERVICES)
    return key in _GLOBAL_KEYS or key in _SERVICE_KEYS or key.startswith("aws:requesttag/")
