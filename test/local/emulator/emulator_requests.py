"""Sign requests and send them as the server passes them to the emulator."""

import asyncio

from ministack import app


def send(method: str, path: str, headers: dict | None = None, body: bytes = b"") -> tuple[int, bytes]:
    """Return the status and the body of the answer. The path may have a query."""
    path, _, query = path.partition("?")
    given = {"host": "127.0.0.1", "content-length": str(len(body)), **(headers or {})}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    async def answer(message: dict) -> None:
        sent.append(message)

    asyncio.run(app.app(scope, receive, answer))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def signed(service: str, key: str = "local", **headers: str) -> dict[str, str]:
    """Return headers with a signature of a key, which is not checked, and others with ``_`` for ``-``."""
    scope = f"{key}/20260101/us-east-1/{service}/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    return {"authorization": authorization, **{name.replace("_", "-"): headers[name] for name in headers}}
