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

import pytest  # noqa: E402
import repairs  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def _repaired():
    repairs.apply_all()
