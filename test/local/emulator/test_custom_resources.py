from ministack.services import lambda_svc
from ministack.services.cloudformation import custom_resource
from repairs import custom_resources

EVENT = {"ResponseURL": "http://127.0.0.1:1/_ministack/cfn-response/token", "LogicalResourceId": "Thing"}


def ask(monkeypatch, result: dict) -> dict:
    monkeypatch.setattr(custom_resources, "_stock_execute", lambda func, event: result)
    custom_resource.register_token("token")
    lambda_svc._execute_function_with_config_scope({}, EVENT)
    return custom_resource._pending.pop("token")


def test_a_function_that_breaks_answers_with_its_error(monkeypatch):
    body = {"errorType": "TypeError", "errorMessage": "no tag"}
    pending = ask(monkeypatch, {"error": True, "body": body})
    assert pending["event"].is_set()
    assert pending["result"] == {"Status": "FAILED", "Reason": "TypeError: no tag"}


def test_a_function_that_ran_is_still_waited_for(monkeypatch):
    assert not ask(monkeypatch, {"body": None})["event"].is_set()


def test_an_answer_given_before_the_break_stands():
    custom_resource.register_token("early")
    custom_resource.deliver_response("early", {"Status": "SUCCESS"})
    custom_resources.answer_failure("early", {"errorType": "X"})
    assert custom_resource._pending.pop("early")["result"] == {"Status": "SUCCESS"}
