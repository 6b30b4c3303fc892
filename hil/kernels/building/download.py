# SPDX-License-Identifier: MIT
"""Downloads a large file over HTTP, if necessary by several requests, each of which resumes the one before."""

from __future__ import annotations

import http.client
import logging
import re
import time
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from hil import cache
from hil.debian import mirror
from hil.errors import BenchError
from hil.kernels.progress import Listener

_log = logging.getLogger(__name__)

# The number of attempts in a row without a single byte after which the download fails; others do not count.
FRUITLESS = 3
PAUSE = 1.0
_TIMEOUT = 30.0
_CHUNK = 1 << 16

_ELSEWHERE = "get the file in another way and give it as --tarball"

# RFC 9110, 14.4: `bytes 100-199/200`, or `bytes */200` when the range asked for does not exist.
_CONTENT_RANGE = re.compile(r"bytes (?:(?P<first>\d+)-\d+|\*)/(?P<size>\d+|\*)")


def download(url: str, target: Path, progress: Listener) -> None:
    """Download `url` into `target`, whose content, if any, is taken for the beginning of the file.

    The content is not checked; the caller compares a hash. What was downloaded is kept on failure, to be resumed.
    Raises BenchError when the server refuses or cannot be reached, Unusable when the folder of `target` cannot be
    written.
    """
    fruitless = 0
    while True:
        before = _size(target)
        try:
            complete = _resume(url, target, progress)
            reason = "the connection was closed"
        except HTTPError as error:
            raise BenchError(
                f"cannot download {url}: the server answered {error.code} {error.reason}", remedy=_ELSEWHERE
            ) from None
        except (OSError, http.client.HTTPException) as error:
            complete, reason = False, str(getattr(error, "reason", error)) or type(error).__name__
        if complete:
            return
        _log.info("%s: %s, resuming at byte %d", mirror.without_password(url), reason, _size(target))
        fruitless = 0 if _size(target) > before else fruitless + 1
        if fruitless == FRUITLESS:
            raise BenchError(
                f"cannot download {url}: {reason}, {_size(target)} bytes were downloaded",
                remedy=f"run it again to resume, or {_ELSEWHERE}",
            )
        if fruitless:
            time.sleep(PAUSE)


def _resume(url: str, target: Path, progress: Listener) -> bool:
    """Request the rest of the file; returns whether it is complete now. Unusable is no OSError and passes through."""
    have = _size(target)
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urlopen(request, timeout=_TIMEOUT)
    except HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        # Either the file is complete, or it is another file: then start again.
        if _content_range(error.headers["Content-Range"]) == (None, have):
            return True
        target.unlink()
        return False
    with answer:
        first, size = _content_range(answer.headers["Content-Range"])
        if answer.status != HTTPStatus.PARTIAL_CONTENT or first != have:
            have = 0  # the whole file, from a server that does not support ranges
        if size is None and (length := answer.headers["Content-Length"]):
            size = have + int(length)
        with cache.writing(target):
            if size is not None:
                cache.ensure_room(target.parent, size - have)
            file = target.open("ab" if have else "wb")
        with file:
            while chunk := answer.read(_CHUNK):
                with cache.writing(target):
                    file.write(chunk)
                    file.flush()
                have += len(chunk)
                progress.advance(have, size)
    return size is None or have == size


def _content_range(header: str | None) -> tuple[int | None, int | None]:
    """The first byte and the size of the whole file in the header, None for what it lacks."""
    match = _CONTENT_RANGE.fullmatch(header or "")
    if match is None:
        return None, None
    first, size = match["first"], match["size"]
    return (int(first) if first else None), (int(size) if size != "*" else None)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
