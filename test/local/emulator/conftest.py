"""Import the emulator's modules and apply the repairs once, without persistent state."""

import os
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPO / "lib/local/emulator"))
folder = tempfile.mkdtemp(prefix="proxytune-repairs-")
os.environ |= {"TMPDIR": folder, "STATE_DIR": f"{folder}/state", "S3_DATA_DIR": f"{folder}/s3"}
os.environ |= {"PROXYTUNE_NODE": str(REPO / "node_modules/.bin/node"), "GATEWAY_PORT": "1"}
tempfile.tempdir = None

import json  # noqa: E402

import pytest  # noqa: E402
import repairs  # noqa: E402
from ministack import app  # noqa: E402
from ministack.services import iam, sts  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _repaired():
    repairs.apply_all()


@pytest.fixture
def session_of(monkeypatch):
    """Judge requests. The value is a function that opens a session of a role and returns its access key."""
    monkeypatch.setattr(app, "AUTH", True)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    opened = []

    def open_session(role: str, *statements: dict) -> str:
        policies = {"inline": json.dumps({"Statement": list(statements)})}
        record = {"RoleName": role, "InlinePolicies": policies, "AttachedPolicies": []}
        monkeypatch.setitem(iam._roles, role, record)
        arn = f"arn:aws:sts::000000000000:assumed-role/{role}/session"
        key = f"ASIA{role.upper()}"
        secrets = {"SecretAccessKey": "s", "SessionToken": "t"}
        sts.register_session(key, {"Arn": arn, "UserId": f"{role}:session", **secrets})
        opened.append(key)
        return key

    yield open_session
    for key in opened:
        del sts._sessions[key]
