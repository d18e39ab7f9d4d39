"""Client of the Hugging Face hub: the files of a commit, and their content as a stream."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from proxytune.contract.errors import ProxytuneError

# Consecutive attempts without a new byte when a stream breaks off: half a minute in total.
ATTEMPTS = 6
FIRST_WAIT_SECONDS = 1.0
TIMEOUT_SECONDS = 60.0
# At most this much is lost when a stream breaks off.
READ_BYTES = 2**20
# The characters of a header's value: a line break or an accented letter comes from a failed paste.
TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class HubFile:
    """A file of a repository.

    Attributes:
        size: bytes.
        sha256: of large files, which the hub stores by it; None for small ones.
        git: the git blob's SHA-1 of small files; None for large ones.
    """

    path: str
    size: int
    sha256: str | None
    git: str | None


class Hub:
    """One repository at one commit.

    Args:
        repository: owner/name.
        revision: a commit, branch or tag; None for the main branch. It is resolved once.
        token: of an account that has accepted the terms of a gated repository, or None.
        gated: as in the catalogue; for messages.
        secret: the secret in Secrets Manager that holds the token, or None on one machine; for messages.

    Raises:
        ProxytuneError: ModelGated when the hub requires an account with access, HubFailed otherwise.
    """

    def __init__(
        self,
        repository: str,
        revision: str | None,
        token: str | None,
        gated: bool,
        secret: str | None = None,
    ) -> None:
        from huggingface_hub import HfApi

        self.repository, self.token, self.gated, self.secret = repository, token, gated, secret
        # Before anything is sent: the error for such a header quotes it, and the token would be logged.
        if token is not None and not TOKEN.fullmatch(token):
            raise self._gated(
                revision or "main", "the token contains blanks or characters that are not allowed in a token"
            )
        # False keeps the library from using a token that it finds elsewhere.
        self.api = HfApi(token=token or False)
        info = self._info(revision)
        if info.sha is None:
            raise _failed(f"The hub reports no commit of {repository}", revision or "main")
        self.commit: str = info.sha
        self.files = [_file(entry) for entry in info.siblings or []]

    def _info(self, revision: str | None) -> Any:
        """Query the revision; a busy hub is queried again, as for content."""
        wait = FIRST_WAIT_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self.api.model_info(self.repository, revision=revision, files_metadata=True)
            except Exception as error:
                if attempt == ATTEMPTS or not _is_temporary(error):
                    raise self.named(error, revision or "main") from error
            time.sleep(wait)
            wait *= 2
        raise AssertionError("the last attempt returns or raises")

    def select(self, patterns: Sequence[str]) -> list[HubFile]:
        """Select the files that match the patterns; `*` matches anything but a slash.

        Raises:
            ProxytuneError: HubFailed when a pattern matches no file: the repository's layout is different.
        """
        selected: dict[str, HubFile] = {}
        for pattern in patterns:
            expression = re.compile(re.escape(pattern).replace(r"\*", "[^/]*"))
            matching = [file for file in self.files if expression.fullmatch(file.path)]
            if not matching:
                existing = ", ".join(file.path for file in self.files[:20])
                raise _failed(
                    f"{self.repository} at {self.commit[:12]} has no {pattern}", f"it has {existing}"
                )
            selected |= {file.path: file for file in matching}
        return [selected[path] for path in sorted(selected)]

    def content(self, file: HubFile) -> Iterator[bytes]:
        """Stream the file's content and verify it at the end; an interrupted stream is resumed.

        Raises:
            ProxytuneError: ModelGated; HubFailed when it cannot be fetched, or differs from what the hub
                announced.
        """
        sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        at, attempt, wait = 0, 0, FIRST_WAIT_SECONDS
        while at < file.size:
            before = at
            try:
                for block in self._blocks(file, at):
                    sha256.update(block)
                    git.update(block)
                    at += len(block)
                    yield block
                if at < file.size:
                    raise ConnectionError(f"it ended after {at} of {file.size} bytes")
            except Exception as error:
                if not _is_temporary(error):
                    raise self.named(error, file.path) from error
                attempt, wait = (attempt + 1, wait * 2) if at == before else (1, FIRST_WAIT_SECONDS)
                if attempt >= ATTEMPTS:
                    raise self.named(error, file.path) from error
                print(f"{file.path}: {error}; resuming at byte {at}", flush=True)
                time.sleep(wait)
        wrong = at != file.size or (file.sha256 not in (None, sha256.hexdigest()))
        if wrong or (file.sha256 is None and file.git not in (None, git.hexdigest())):
            raise _failed(f"The content of {file.path} differs from what the hub announced", self.repository)

    def _blocks(self, file: HubFile, at: int) -> Iterator[bytes]:
        # The library exports its names only at run time, where mypy does not see them.
        from huggingface_hub.utils import (  # type: ignore[attr-defined]
            build_hf_headers,
            hf_raise_for_status,
            http_stream_backoff,
        )

        url = f"{self.api.endpoint}/{self.repository}/resolve/{self.commit}/{quote(file.path)}"
        headers = build_hf_headers(token=self.token or False)
        # A compressed transfer would have no length, and could not be resumed at a byte.
        headers["Accept-Encoding"] = "identity"
        if at > 0:
            headers["Range"] = f"bytes={at}-"
        # Interrupted streams are resumed in `content`; the library only waits as a busy hub asks it to.
        patience: dict[str, Any] = {"retry_on_exceptions": (), "retry_on_status_codes": (429,)}
        with http_stream_backoff(
            "GET", url, headers=headers, timeout=TIMEOUT_SECONDS, **patience
        ) as response:
            hf_raise_for_status(response)
            # A server without ranges sends the complete file.
            skip = at if response.status_code == 200 else 0
            for block in response.iter_bytes(READ_BYTES):
                if skip >= len(block):
                    skip -= len(block)
                    continue
                yield block[skip:]
                skip = 0

    def named(self, error: BaseException, what: str) -> ProxytuneError:
        """Convert an error to one of ours; it never contains the token, which no URL and no response has."""
        from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

        if isinstance(error, ProxytuneError):
            return error
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
        # The response for a repository without access is that for one that does not exist.
        if isinstance(error, GatedRepoError) or (self.gated and status in (401, 403, 404)):
            why = "no token was given" if self.token is None else "the token's account has no access"
            return self._gated(what, why)
        line = str(error).strip().splitlines() or [type(error).__name__]
        return _failed(f"Cannot fetch {self.repository} from the hub: {line[0]}", what)

    def _gated(self, what: str, why: str) -> ProxytuneError:
        place = (
            "in the environment variable HF_TOKEN"
            if self.secret is None
            else f"with aws secretsmanager create-secret --name {self.secret} --secret-string TOKEN "
            "(put-secret-value --secret-id if it exists already)"
        )
        return ProxytuneError(
            "ModelGated",
            what=f"{self.repository} requires an account that has accepted its terms: {why}",
            given=what,
            allowed="a read token of an account that has been granted access",
            remedy=(
                f"accept the terms at https://huggingface.co/{self.repository}, create a token at "
                f"https://huggingface.co/settings/tokens, and store it {place}"
            ),
        )


def _file(entry: Any) -> HubFile:
    sha256 = entry.lfs.sha256 if entry.lfs is not None else None
    size = entry.size if entry.size is not None else (entry.lfs.size if entry.lfs is not None else 0)
    return HubFile(entry.rfilename, size, sha256, entry.blob_id if sha256 is None else None)


def _is_temporary(error: BaseException) -> bool:
    """True when the same request may succeed a moment later."""
    # The library exports its names only at run time, where mypy does not see them.
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in (408, 429) or error.response.status_code >= 500
    return isinstance(error, HTTPError | ConnectionError | TimeoutError)


def _failed(what: str, given: str) -> ProxytuneError:
    return ProxytuneError(
        "HubFailed",
        what=what,
        given=given,
        remedy="run import-model again, which resumes where it stopped; or import a folder with --from",
    )
