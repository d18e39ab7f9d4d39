"""The Hugging Face hub as this product needs it: the files of a commit, and their content in one stream."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from proxytune.contract.errors import ProxytuneError

# Of a stream that breaks off, in a row and without a new byte: half a minute in all.
ATTEMPTS = 6
FIRST_WAIT_SECONDS = 1.0
TIMEOUT_SECONDS = 60.0
# Up to so much is lost when a stream breaks off.
READ_BYTES = 2**20
# One name for all places: stacks of one account share it.
TOKEN_SECRET = "proxytune/hugging-face-token"
# What a header may carry: a line break or a letter with an accent is of a paste that went wrong.
TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class HubFile:
    """A file of a repository.

    Attributes:
        size: bytes.
        sha256: of large files, which the hub keeps by it; None for small ones.
        git: SHA-1 of small files, as git names them; None for large ones.
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
        gated: whether the catalogue knows it as gated; for messages.

    Raises:
        ProxytuneError: ModelGated when the hub wants an account that may have it, HubFailed for all else.
    """

    def __init__(self, repository: str, revision: str | None, token: str | None, gated: bool) -> None:
        from huggingface_hub import HfApi

        self.repository, self.token, self.gated = repository, token, gated
        # Before anything is sent: what refuses such a header quotes it, and the token would stand in the log.
        if token is not None and not TOKEN.fullmatch(token):
            raise self._gated(revision or "main", "the token holds blanks or signs that no token has")
        # False keeps the library from looking for a token of its own that nobody meant.
        self.api = HfApi(token=token or False)
        info = self._info(revision)
        if info.sha is None:
            raise _failed(f"The hub names no commit of {repository}", revision or "main")
        self.commit: str = info.sha
        self.files = [_file(entry) for entry in info.siblings or []]

    def _info(self, revision: str | None) -> Any:
        """What the hub tells of the revision; one that is busy is asked again, as for content."""
        wait = FIRST_WAIT_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self.api.model_info(self.repository, revision=revision, files_metadata=True)
            except Exception as error:
                if attempt == ATTEMPTS or not _passing(error):
                    raise self.named(error, revision or "main") from error
            time.sleep(wait)
            wait *= 2
        raise AssertionError("the last attempt returns or raises")

    def chosen(self, patterns: Sequence[str]) -> list[HubFile]:
        """The files that the patterns name; `*` stands for anything but a slash.

        Raises:
            ProxytuneError: HubFailed when a pattern names none: the repository is laid out otherwise.
        """
        chosen: dict[str, HubFile] = {}
        for pattern in patterns:
            wanted = re.compile(re.escape(pattern).replace(r"\*", "[^/]*"))
            found = [file for file in self.files if wanted.fullmatch(file.path)]
            if not found:
                there = ", ".join(file.path for file in self.files[:20])
                raise _failed(f"{self.repository} at {self.commit[:12]} has no {pattern}", f"it has {there}")
            chosen |= {file.path: file for file in found}
        return [chosen[path] for path in sorted(chosen)]

    def content(self, file: HubFile) -> Iterator[bytes]:
        """The file's content, checked when it is at its end. A stream that breaks off goes on where it was.

        Raises:
            ProxytuneError: ModelGated; HubFailed when it cannot be had, or is not what the hub announced.
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
                if not _passing(error):
                    raise self.named(error, file.path) from error
                attempt, wait = (attempt + 1, wait * 2) if at == before else (1, FIRST_WAIT_SECONDS)
                if attempt >= ATTEMPTS:
                    raise self.named(error, file.path) from error
                print(f"{file.path}: {error}; going on at byte {at}", flush=True)
                time.sleep(wait)
        wrong = at != file.size or (file.sha256 not in (None, sha256.hexdigest()))
        if wrong or (file.sha256 is None and file.git not in (None, git.hexdigest())):
            raise _failed(f"{file.path} came with other content than the hub announced", self.repository)

    def _blocks(self, file: HubFile, at: int) -> Iterator[bytes]:
        # The library makes its names known at run time only.
        from huggingface_hub.utils import (  # type: ignore[attr-defined]
            build_hf_headers,
            hf_raise_for_status,
            http_stream_backoff,
        )

        url = f"{self.api.endpoint}/{self.repository}/resolve/{self.commit}/{quote(file.path)}"
        headers = build_hf_headers(token=self.token or False)
        # Packed on the way, a file would have no length and no byte to go on at.
        headers["Accept-Encoding"] = "identity"
        if at > 0:
            headers["Range"] = f"bytes={at}-"
        # What breaks off is begun again here, at its byte; the library only waits as a busy hub asks it to.
        patience: dict[str, Any] = {"retry_on_exceptions": (), "retry_on_status_codes": (429,)}
        with http_stream_backoff(
            "GET", url, headers=headers, timeout=TIMEOUT_SECONDS, **patience
        ) as response:
            hf_raise_for_status(response)
            # Who does not know ranges answers with the whole.
            skip = at if response.status_code == 200 else 0
            for block in response.iter_bytes(READ_BYTES):
                if skip >= len(block):
                    skip -= len(block)
                    continue
                yield block[skip:]
                skip = 0

    def named(self, error: BaseException, what: str) -> ProxytuneError:
        """The error as one of ours. It never holds the token: that is in no address and in no answer."""
        from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

        if isinstance(error, ProxytuneError):
            return error
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
        # A repository that nobody may see is answered like one that does not exist.
        if isinstance(error, GatedRepoError) or (self.gated and status in (401, 403, 404)):
            have = "no token was given" if self.token is None else "the token's account may not have it"
            return self._gated(what, have)
        line = str(error).strip().splitlines() or [type(error).__name__]
        return _failed(f"The hub does not give {self.repository}: {line[0]}", what)

    def _gated(self, what: str, have: str) -> ProxytuneError:
        return ProxytuneError(
            "ModelGated",
            what=f"{self.repository} is given only to those who have accepted its terms: {have}",
            given=what,
            allowed="a read token of an account whose request was granted",
            remedy=(
                f"accept the terms at https://huggingface.co/{self.repository}, make a token at "
                "https://huggingface.co/settings/tokens, and store it: in an account by aws secretsmanager "
                f"create-secret --name {TOKEN_SECRET} --secret-string TOKEN (put-secret-value --secret-id "
                "when it is there already), on one machine as the environment variable HF_TOKEN"
            ),
        )


def _file(entry: Any) -> HubFile:
    sha256 = entry.lfs.sha256 if entry.lfs is not None else None
    size = entry.size if entry.size is not None else (entry.lfs.size if entry.lfs is not None else 0)
    return HubFile(entry.rfilename, size, sha256, entry.blob_id if sha256 is None else None)


def _passing(error: BaseException) -> bool:
    """Whether the same request may succeed a moment later."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in (408, 429) or error.response.status_code >= 500
    return isinstance(error, HTTPError | ConnectionError | TimeoutError)


def _failed(what: str, given: str) -> ProxytuneError:
    return ProxytuneError(
        "HubFailed",
        what=what,
        given=given,
        remedy="call import-model again, which goes on where it stopped; or bring a folder with --from",
    )
