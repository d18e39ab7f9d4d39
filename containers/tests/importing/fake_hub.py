"""A fake of the Hugging Face hub, as far as an import uses it.

Repositories are folders `owner/name`; paths, headers, redirects and error codes are the hub's. Large files
are redirected to another host, which refuses the hub's token, as the real one does.

    python fake_hub.py FOLDER     prints its address

A file `gated` in a repository's folder contains the token that it requires, a file `commit` its commit.
If there is a file `FILE.instead`, it is sent in place of FILE, whose size and hash are announced.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# The real hub stores files of up to 10 MB in git; tests need both kinds to be small.
LARGE_BYTES = 2000
GATE, HEAD = "gated", "commit"
INSTEAD = ".instead"


@dataclass
class State:
    """The files that the server serves, and the requests it received."""

    folder: Path
    requests: list[str] = field(default_factory=list)
    # Path of a file -> how many bytes are sent before the connection breaks, once for each number.
    break_after: dict[str, list[int]] = field(default_factory=dict)
    # Path of a file -> content that differs from the announced one.
    instead: dict[str, bytes] = field(default_factory=dict)
    # Statuses of the first responses, whatever is requested.
    refuse: list[int] = field(default_factory=list)
    ranges: bool = True


class FakeHub(http.server.ThreadingHTTPServer):
    """The server, with its state."""

    daemon_threads = True
    state: State

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a connection that a test breaks off."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Handles one request."""

    protocol_version = "HTTP/1.1"
    server: FakeHub

    def do_GET(self) -> None:
        """Send the model's description, a file, or the content that a large file is redirected to."""
        state = self.server.state
        path = unquote(urlsplit(self.path).path)
        state.requests.append(f"{path} {self.headers.get('Range', '')}".strip())
        if state.refuse:
            self.answer(state.refuse.pop(0), b"busy")
            return
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self.describe("/".join(parts[2:4]), "/".join(parts[5:]) or "main")
        elif parts[0] == "large":
            self.send_content("/".join(parts[1:3]), "/".join(parts[3:]))
        else:
            self.resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    def describe(self, repository: str, revision: str) -> None:
        """Respond to model_info with files_metadata."""
        folder = self.server.state.folder / repository
        if not folder.is_dir():
            self.answer(401, b"Invalid username or password.", {"X-Error-Code": "RepoNotFound"})
            return
        commit = self.commit(folder)
        if revision not in ("main", commit):
            self.answer(404, b"no such revision", {"X-Error-Code": "RevisionNotFound"})
            return
        files = sorted(
            file
            for file in folder.rglob("*")
            if file.is_file() and file.name not in (GATE, HEAD) and file.suffix != INSTEAD
        )
        described = {
            "id": repository,
            "modelId": repository,
            "sha": commit,
            "private": False,
            "gated": "auto" if (folder / GATE).exists() else False,
            "tags": [],
            "downloads": 0,
            "siblings": [_sibling(file, folder) for file in files],
        }
        self.answer(200, json.dumps(described).encode(), {"Content-Type": "application/json"})

    def commit(self, folder: Path) -> str:
        """The commit of the main branch."""
        head = folder / HEAD
        return head.read_text().strip() if head.exists() else COMMIT

    def resolve(self, repository: str, revision: str, path: str) -> None:
        """Send a file by its path; large ones are redirected."""
        folder = self.server.state.folder / repository
        gate = folder / GATE
        if gate.exists() and self.headers.get("Authorization") != f"Bearer {gate.read_text().strip()}":
            status = 403 if "Authorization" in self.headers else 401
            self.answer(status, b"Access to this model is restricted", {"X-Error-Code": "GatedRepo"})
        elif revision != self.commit(folder) or not (folder / path).is_file():
            self.answer(404, b"", {"X-Error-Code": "EntryNotFound"})
        elif (folder / path).stat().st_size >= LARGE_BYTES:
            # Another host, to which clients must not forward the token.
            port = self.server.server_port
            self.answer(
                302, b"", {"Location": f"http://localhost:{port}/large/{repository}/{path}?signature=1"}
            )
        else:
            self.send_content(repository, path)

    def send_content(self, repository: str, path: str) -> None:
        """Send content from the beginning of the range."""
        state = self.server.state
        if self.path.startswith("/large/") and "Authorization" in self.headers:
            self.answer(400, b"Only one auth mechanism allowed")
            return
        other = state.folder / repository / (path + INSTEAD)
        stored = other if other.exists() else state.folder / repository / path
        content = state.instead.get(path, stored.read_bytes())
        begin = 0
        if state.ranges and "Range" in self.headers:
            begin = int(self.headers["Range"].removeprefix("bytes=").split("-")[0])
        part = content[begin:]
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(part)))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if state.break_after.get(path):
            self.wfile.write(part[: state.break_after[path].pop(0)])
            self.close_connection = True
            return
        self.wfile.write(part)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a short response."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def _sibling(file: Path, folder: Path) -> dict[str, Any]:
    content = file.read_bytes()
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry = {"rfilename": file.relative_to(folder).as_posix(), "size": len(content), "blobId": git}
    if len(content) < LARGE_BYTES:
        return entry
    lfs = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return {**entry, "lfs": lfs}


def serve(folder: Path) -> FakeHub:
    """Start on a free port, `server_port`."""
    server = FakeHub(("127.0.0.1", 0), Handler)
    server.state = State(folder)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


if __name__ == "__main__":
    hub = serve(Path(sys.argv[1]))
    print(f"http://127.0.0.1:{hub.server_port}", flush=True)
    # Until its parent process closes the pipe.
    sys.stdin.read()
