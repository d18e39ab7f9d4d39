"""A judge that cannot judge refuses, and says why.

A wrong answer would hide a fault until the first deployment.
"""

import json

import pytest
from authorization.judge import Call, judge_role, judge_traced
from authorization.strictness import CannotJudge
from emulator_requests import signed
from ministack import app
from ministack.core import iam_actions, iam_evaluator

SESSION = "arn:aws:sts::000000000000:assumed-role/worker/session"
OBJECT = "arn:aws:s3:::bucket/key"
ALLOW = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def judge(*statements: dict, action: str = "s3:GetObject", context: dict | None = None) -> str:
    document = {"Statement": list(statements)}
    return judge_role(SESSION, Call(action, OBJECT, context or {}), [document]).decision


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"StringResembles": {"s3:prefix": "a"}}, "operator StringResembles is unknown"),
        (
            {"ForSomeValues:StringEquals": {"s3:prefix": "a"}},
            "operator ForSomeValues:StringEquals is unknown",
        ),
        ({"StringEquals": {"dynamodb:LeadingKeys": "a"}}, "key dynamodb:LeadingKeys of s3:GetObject"),
        ({"StringEquals": {"aws:PrincipalOrgID": "o"}}, "key aws:PrincipalOrgID"),
        ({"StringEquals": {"aws:ResourceTag/team": "x"}}, "key aws:ResourceTag/team"),
        ({"StringLike": {"s3:prefix": "home/${aws:username}"}}, "policy variables are not replaced"),
        ({"NumericLessThan": {"s3:max-keys": "ten"}}, "'ten' is compared as a number"),
        ({"StringEquals": {"aws:TagKeys": "a"}}, "compares single values"),
        ({"StringEquals": "a"}, "the condition"),
    ],
)
@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_a_condition_that_is_not_understood_is_refused(effect, condition, message):
    context = {"s3:prefix": "a", "s3:max-keys": "1", "aws:tagkeys": ["a", "b"]}
    with pytest.raises(CannotJudge, match=message):
        judge({**ALLOW, "Effect": effect, "Condition": condition}, context=context)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({**ALLOW, "Resource": "arn:aws:s3:::bucket/${aws:username}"}, "policy variables"),
        ({**ALLOW, "NotPrincipal": {"AWS": "*"}}, "element NotPrincipal"),
        ({**ALLOW, "Effect": "allow"}, "effect 'allow'"),
        ({**ALLOW, "Principal": {"CanonicalUser": "1"}}, "principal"),
        ({**ALLOW, "Conditions": {}}, "element Conditions"),
    ],
)
def test_a_statement_that_is_not_understood_is_refused(statement, message):
    with pytest.raises(CannotJudge, match=message):
        judge(statement)


def test_a_policy_that_is_not_json_is_refused():
    with pytest.raises(CannotJudge, match="not JSON"):
        judge_role(SESSION, Call("s3:GetObject", OBJECT), ["{"])


def test_an_unknown_action_is_refused_although_a_policy_allows_everything():
    with pytest.raises(CannotJudge, match="s3:GetBucketLogging is not known"):
        judge(ALLOW, action="s3:GetBucketLogging")


def test_a_call_of_a_trace_that_cannot_be_judged_is_not_allowed():
    call = {
        "principal": {"role": "arn:aws:iam::000000000000:role/worker"},
        "action": "s3:GetObject",
        "resource": OBJECT,
        "context": {},
        "judgedBy": "identity",
    }
    odd = {"Statement": {**ALLOW, "Condition": {"Resembles": {"s3:prefix": "a"}}}}
    verdict = judge_traced(call, {"identity": [odd]})
    assert (verdict.decision, verdict.allowed) == ("CannotJudge", False)


@pytest.fixture
def session(session_of):
    """The access key of a session of a role that may do everything, while requests are judged."""
    return session_of("worker", ALLOW)


def enforce(key: str, action: str, resource: str = OBJECT):
    return iam_evaluator.enforce(key, action, action.split(":")[0], "us-east-1", resource)


def test_a_request_of_an_unknown_action_is_refused_with_the_reason(session):
    assert enforce(session, "s3:GetObject") is None
    refused = enforce(session, "s3:GetBucketLogging")
    assert (refused.code, "cannot judge s3:GetBucketLogging" in refused.message) == ("AccessDenied", True)


def test_a_request_for_which_no_action_is_known_is_refused(session):
    status, _, body = app._authenticate_only("s3", signed("s3", session), {}, "id")
    assert (status, b"its action is unknown" in body) == (403, True)


@pytest.mark.parametrize("key", ["test", "000000000000", "stranger"])
def test_only_the_configured_key_is_the_accounts_own(session, key):
    """MiniStack accepts ``test`` and any account id as well."""
    assert enforce("local", "s3:GetBucketLogging") is None
    assert enforce(key, "s3:GetObject") is not None


@pytest.mark.parametrize(
    ("names", "resource"),
    [(["proxytune"], "repository/proxytune"), ([], None), (["a", "b"], None)],
)
def test_describe_repositories_is_asked_for_the_repository(names, resource):
    body = json.dumps({"repositoryNames": names}).encode()
    arn = iam_actions.extract_resource_arn("ecr", "POST", "/", {}, body, {}, "us-east-1", "000000000000")
    assert arn == (f"arn:aws:ecr:us-east-1:000000000000:{resource}" if resource else "*")


def test_a_subscription_is_asked_for_with_its_protocol_and_address():
    params = {"Protocol": ["email"], "Endpoint": ["a@example.com"], "TopicArn": ["t"]}
    context = iam_actions.request_tag_context("sns", "sns:Subscribe", b"", params)
    assert context == {"sns:Protocol": "email", "sns:Endpoint": "a@example.com"}


def test_metrics_are_asked_for_with_their_namespace():
    body = json.dumps({"Namespace": "/aws/sagemaker/TrainingJobs"}).encode()
    context = iam_actions.request_tag_context("monitoring", "cloudwatch:PutMetricData", body, {})
    assert context == {"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"}


@pytest.mark.parametrize("body", [b"", b"\xbfiNamespaceax\xff", b"[]"])
def test_a_body_without_members_fills_no_keys(body):
    assert iam_actions.request_tag_context("monitoring", "cloudwatch:PutMetricData", body, {}) == {}


@pytest.mark.parametrize(
    ("request_", "end"),
    [
        ({"logGroupName": "/aws/g", "retentionInDays": 30}, "log-group:/aws/g:log-stream:"),
        ({"logGroupName": "/aws/g", "logStreamName": "s"}, "log-group:/aws/g:log-stream:s"),
    ],
)
def test_a_log_group_is_named_as_aws_names_it(request_, end):
    body, account = json.dumps(request_).encode(), "000000000000"
    headers = {"x-amz-target": "Logs_20140328.PutRetentionPolicy"}
    arn = iam_actions.extract_resource_arn("logs", "POST", "/", headers, body, {}, "us-east-1", account)
    assert arn == f"arn:aws:logs:us-east-1:{account}:{end}"
