"""The evaluator answers AWS's documented examples as AWS documents them.

Each group names its page of the IAM User Guide (https://docs.aws.amazon.com/IAM/latest/UserGuide/PAGE.html).
"""

import pytest
from authorization.judge import Call, judge_role, judge_service

SESSION = "arn:aws:sts::000000000000:assumed-role/worker/session"
ROLE = "arn:aws:iam::000000000000:role/worker"
OBJECT = "arn:aws:s3:::bucket/runs/one/plan.json"


def statement(effect: str = "Allow", action="s3:GetObject", resource="*", **more) -> dict:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements: dict) -> dict:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def decide(*statements: dict, action="s3:GetObject", resource=OBJECT, context=None, by_resource=None) -> str:
    """The decision on a call of a role that has one policy with these statements."""
    call = Call(action, resource, context or {})
    return judge_role(SESSION, call, [policy(*statements)], by_resource).decision


class TestEvaluationLogic:
    """reference_policies_evaluation-logic_policy-eval-denyallow"""

    def test_a_call_without_a_policy_is_denied(self):
        assert judge_role(SESSION, Call("s3:GetObject", OBJECT), []).decision == "ImplicitDeny"

    def test_an_allow_allows(self):
        assert decide(statement()) == "Allow"

    @pytest.mark.parametrize("order", [1, -1])
    def test_an_explicit_deny_wins_in_any_order(self, order):
        both = [statement("Deny"), statement("Allow")]
        assert decide(*both[::order]) == "Deny"

    def test_an_explicit_deny_in_another_policy_wins(self):
        call = Call("s3:GetObject", OBJECT)
        policies = [policy(statement()), policy(statement("Deny", "s3:*"))]
        assert judge_role(SESSION, call, policies).decision == "Deny"

    @pytest.mark.parametrize("principal", [{"AWS": ROLE}, {"AWS": SESSION}, {"AWS": "*"}, "*"])
    def test_in_one_account_the_policy_of_the_resource_alone_allows_whom_it_names(self, principal):
        document = policy(statement(Principal=principal))
        assert decide(by_resource=document) == "Allow"

    def test_a_resource_policy_for_the_account_leaves_the_decision_to_policies_of_roles(self):
        document = policy(statement(Principal={"AWS": "arn:aws:iam::000000000000:root"}))
        assert decide(by_resource=document) == "ImplicitDeny"
        assert decide(statement(), by_resource=document) == "Allow"

    def test_a_deny_of_the_resource_wins_over_an_allow_of_the_role(self):
        document = policy(statement("Deny", "s3:*", Principal={"AWS": "*"}))
        assert decide(statement(), by_resource=document) == "Deny"

    def test_a_resource_policy_that_is_silent_leaves_the_decision_to_policies_of_roles(self):
        document = policy(statement("Deny", "s3:DeleteObject", Principal="*"))
        assert decide(statement(), by_resource=document) == "Allow"

    def test_the_sentence_of_a_denial_is_that_of_aws(self):
        verdict = judge_role(SESSION, Call("s3:GetObject", OBJECT), [])
        assert verdict.reason == (
            f"User: {SESSION} is not authorized to perform: s3:GetObject on resource: {OBJECT} "
            "because no identity-based policy allows the s3:GetObject action"
        )


class TestElements:
    """reference_policies_elements_action, …_notaction, …_resource, …_notresource"""

    @pytest.mark.parametrize(
        ("pattern", "decision"),
        [
            ("s3:*", "Allow"),
            ("s3:Get*", "Allow"),
            ("S3:GETOBJECT", "Allow"),
            ("*", "Allow"),
            ("s3:GetObjec?", "Allow"),
            ("s3:Put*", "ImplicitDeny"),
            ("s3:GetObjectVersion", "ImplicitDeny"),
        ],
    )
    def test_actions_match_wildcards_without_case(self, pattern, decision):
        assert decide(statement(action=pattern)) == decision

    def test_not_action_is_every_other_action(self):
        others = {"Effect": "Allow", "NotAction": "s3:DeleteObject", "Resource": "*"}
        assert decide(others) == "Allow"
        assert decide(others, action="s3:DeleteObject") == "ImplicitDeny"

    @pytest.mark.parametrize(
        ("pattern", "decision"),
        [
            ("arn:aws:s3:::bucket/*", "Allow"),
            ("arn:aws:s3:::bucket/runs/*/plan.json", "Allow"),
            # "*" matches a "/" as well, so one star is several folders.
            ("arn:aws:s3:::bucket/*.json", "Allow"),
            ("arn:aws:s3:::*", "Allow"),
            ("arn:aws:s3:::bucket/runs/???/plan.json", "Allow"),
            ("arn:aws:s3:::bucket/runs/??/plan.json", "ImplicitDeny"),
            ("arn:aws:s3:::bucket/Runs/*", "ImplicitDeny"),
            ("arn:aws:s3:::bucket", "ImplicitDeny"),
            ("arn:aws:s3:::bucket/runs/", "ImplicitDeny"),
        ],
    )
    def test_resources_match_wildcards_with_case(self, pattern, decision):
        assert decide(statement(resource=pattern)) == decision

    def test_not_resource_is_every_other_resource(self):
        others = {"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::bucket/secret/*"}
        assert decide(others) == "Allow"
        assert decide(others, resource="arn:aws:s3:::bucket/secret/a") == "ImplicitDeny"


def when(condition: dict, context: dict, effect: str = "Allow") -> str:
    """The decision on a call under a condition, of a role that may do everything else."""
    rest = [] if effect == "Allow" else [statement()]
    return decide(statement(effect, Condition=condition), *rest, context=context)


class TestConditionOperators:
    """reference_policies_elements_condition_operators"""

    @pytest.mark.parametrize(
        ("pattern", "decision"),
        [
            ("runs/*", "Allow"),
            ("runs/one/*", "Allow"),
            ("*/one/*", "Allow"),
            ("runs/?ne/*", "Allow"),
            ("RUNS/*", "ImplicitDeny"),
            ("runs", "ImplicitDeny"),
        ],
    )
    def test_string_like_matches_wildcards_with_case(self, pattern, decision):
        condition = {"StringLike": {"s3:prefix": pattern}}
        assert when(condition, {"s3:prefix": "runs/one/plan"}) == decision

    def test_string_equals_takes_wildcards_literally(self):
        condition = {"StringEquals": {"s3:prefix": "runs/*"}}
        assert when(condition, {"s3:prefix": "runs/one"}) == "ImplicitDeny"
        assert when(condition, {"s3:prefix": "runs/*"}) == "Allow"

    @pytest.mark.parametrize("operator", ["StringEquals", "StringLike", "NumericLessThan", "Bool", "ArnLike"])
    def test_a_missing_key_does_not_match(self, operator):
        value = {"NumericLessThan": "1", "Bool": "true"}.get(operator, "*")
        assert when({operator: {"s3:max-keys": value}}, {}) == "ImplicitDeny"

    @pytest.mark.parametrize(
        "operator", ["StringNotEquals", "StringNotLike", "NumericNotEquals", "ArnNotLike"]
    )
    def test_a_missing_key_matches_what_is_negated(self, operator):
        value = "1" if operator.startswith("Numeric") else "x"
        assert when({operator: {"s3:max-keys": value}}, {}, "Deny") == "Deny"

    def test_if_exists_ignores_a_missing_key_and_compares_one_that_is_there(self):
        condition = {"StringEqualsIfExists": {"s3:prefix": "runs/"}}
        assert when(condition, {}) == "Allow"
        assert when(condition, {"s3:prefix": "runs/"}) == "Allow"
        assert when(condition, {"s3:prefix": "models/"}) == "ImplicitDeny"

    def test_null_asks_if_a_key_is_missing(self):
        missing = {"Null": {"s3:prefix": "true"}}
        there = {"Null": {"s3:prefix": "false"}}
        assert when(missing, {}) == "Allow"
        assert when(missing, {"s3:prefix": ""}) == "ImplicitDeny"
        assert when(there, {}) == "ImplicitDeny"
        assert when(there, {"s3:prefix": ""}) == "Allow"

    @pytest.mark.parametrize(
        ("operator", "value", "decision"),
        [
            ("NumericLessThanEquals", "3600", "Allow"),
            ("NumericLessThan", "3600", "ImplicitDeny"),
            ("NumericGreaterThan", "600", "Allow"),
            # As numbers, not as texts.
            ("NumericLessThan", "10000", "Allow"),
            ("NumericEquals", "3600.0", "Allow"),
        ],
    )
    def test_numbers(self, operator, value, decision):
        context = {"sagemaker:maxruntimeinseconds": "3600"}
        assert when({operator: {"sagemaker:MaxRuntimeInSeconds": value}}, context) == decision

    def test_bool_of_a_missing_key_is_not_false(self):
        isolated = {"Bool": {"sagemaker:NetworkIsolation": "false"}}
        assert when(isolated, {"sagemaker:networkisolation": "false"}, "Deny") == "Deny"
        assert when(isolated, {}, "Deny") == "Allow"

    def test_keys_have_no_case(self):
        assert when({"StringEquals": {"S3:PREFIX": "a"}}, {"s3:prefix": "a"}) == "Allow"


class TestSeveralKeysAndValues:
    """reference_policies_condition-logic-multiple-context-keys-or-values"""

    TWO = {"s3:prefix": "runs/", "s3:delimiter": "/"}

    def test_all_operators_and_all_keys_have_to_match(self):
        condition = {"StringEquals": {"s3:prefix": "runs/", "s3:delimiter": "/"}}
        assert when(condition, self.TWO) == "Allow"
        assert when(condition, {**self.TWO, "s3:delimiter": "-"}) == "ImplicitDeny"
        both = {"StringEquals": {"s3:prefix": "runs/"}, "StringLike": {"s3:delimiter": "-"}}
        assert when(both, self.TWO) == "ImplicitDeny"

    def test_one_of_several_values_has_to_match(self):
        condition = {"StringEquals": {"s3:prefix": ["models/", "runs/"]}}
        assert when(condition, self.TWO) == "Allow"
        assert when(condition, {"s3:prefix": "subjects/"}) == "ImplicitDeny"

    def test_none_of_several_values_may_match_what_is_negated(self):
        condition = {"StringNotEquals": {"s3:prefix": ["models/", "runs/"]}}
        assert when(condition, {"s3:prefix": "runs/"}) == "ImplicitDeny"
        assert when(condition, {"s3:prefix": "subjects/"}) == "Allow"


class TestKeysWithSeveralValues:
    """reference_policies_condition-single-vs-multi-valued-context-keys"""

    ALL = {"ForAllValues:StringEquals": {"aws:TagKeys": ["environment", "cost-center"]}}
    ANY = {"ForAnyValue:StringEquals": {"aws:TagKeys": ["environment", "cost-center"]}}

    @pytest.mark.parametrize(
        ("keys", "all_values", "any_value"),
        [
            (["environment"], "Allow", "Allow"),
            (["environment", "cost-center"], "Allow", "Allow"),
            (["environment", "webserver"], "ImplicitDeny", "Allow"),
            (["webserver"], "ImplicitDeny", "ImplicitDeny"),
        ],
    )
    def test_for_all_values_and_for_any_value(self, keys, all_values, any_value):
        context = {"aws:tagkeys": keys}
        assert when(self.ALL, context) == all_values
        assert when(self.ANY, context) == any_value

    def test_for_all_values_is_true_without_the_key_and_for_any_value_false(self):
        assert when(self.ALL, {}) == "Allow"
        assert when(self.ANY, {}) == "ImplicitDeny"

    def test_null_closes_the_gap_of_for_all_values(self):
        closed = {**self.ALL, "Null": {"aws:TagKeys": "false"}}
        assert when(closed, {}) == "ImplicitDeny"
        assert when(closed, {"aws:tagkeys": ["environment"]}) == "Allow"


class TestPassRole:
    """id_roles_use_passrole"""

    GIVEN = statement(
        action="iam:PassRole",
        resource="arn:aws:iam::000000000000:role/job",
        Condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    )

    @pytest.mark.parametrize(
        ("role", "service", "decision"),
        [
            ("job", "sagemaker.amazonaws.com", "Allow"),
            ("job", "lambda.amazonaws.com", "ImplicitDeny"),
            ("admin", "sagemaker.amazonaws.com", "ImplicitDeny"),
        ],
    )
    def test_a_role_is_passed_to_the_named_service_only(self, role, service, decision):
        resource = f"arn:aws:iam::000000000000:role/{role}"
        context = {"iam:passedtoservice": service}
        assert decide(self.GIVEN, action="iam:PassRole", resource=resource, context=context) == decision


class TestServices:
    """reference_policies_elements_principal and confused-deputy"""

    JOB = "arn:aws:sagemaker:us-east-1:000000000000:training-job/one"
    TRUST = policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}},
        }
    )

    @pytest.mark.parametrize(
        ("service", "account", "decision"),
        [
            ("sagemaker.amazonaws.com", "000000000000", "Allow"),
            ("sagemaker.amazonaws.com", "111111111111", "ImplicitDeny"),
            ("lambda.amazonaws.com", "000000000000", "ImplicitDeny"),
        ],
    )
    def test_a_role_trusts_the_named_service_for_its_account_only(self, service, account, decision):
        call = Call("sts:AssumeRole", ROLE, {"aws:sourcearn": self.JOB, "aws:sourceaccount": account})
        assert judge_service(service, call, self.TRUST).decision == decision

    def test_a_service_needs_the_policy_of_the_resource(self):
        call = Call("sqs:SendMessage", "arn:aws:sqs:us-east-1:000000000000:q")
        assert judge_service("events.amazonaws.com", call, None).decision == "ImplicitDeny"
        for_account = policy(
            statement(action="sqs:*", Principal={"AWS": "arn:aws:iam::000000000000:root"}),
        )
        assert judge_service("events.amazonaws.com", call, for_account).decision == "ImplicitDeny"

    def test_a_function_is_invoked_for_the_named_rule_only(self):
        arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
        rule = "arn:aws:events:us-east-1:000000000000:rule/one"
        document = policy(
            statement(
                action="lambda:InvokeFunction",
                resource=arn,
                Principal={"Service": "events.amazonaws.com"},
                Condition={"ArnLike": {"AWS:SourceArn": rule}},
            )
        )
        for source, decision in [(rule, "Allow"), (f"{rule}-other", "ImplicitDeny")]:
            call = Call("lambda:InvokeFunction", arn, {"aws:sourcearn": source})
            assert judge_service("events.amazonaws.com", call, document).decision == decision
