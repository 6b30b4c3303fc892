# SPDX-License-Identifier: MIT
"""References to the kernel's sources, and where they can be read."""

from __future__ import annotations

import re
from dataclasses import dataclass

TAGS = {"4.1": "v4.1.52", "5.10": "v5.10.223"}
"""The stable version that lanes have, which is shown instead of a release's first version: much was fixed there."""

_FILE = re.compile(r"(?P<path>[\w./-]+): (?P<name>\w+(\(\w*\))?)")
_COMMIT = re.compile(r"commit (?P<hash>[0-9a-f]{12,40}), .+")


@dataclass(frozen=True)
class Source:
    """A reference: `text` names a file and what in it decides, or a commit; `link` shows it in a public browser of the
    sources."""

    text: str
    link: str


def tag(era: str) -> str:
    """Returns the release in which sources of an era are shown, by its name in git."""
    return TAGS.get(era, f"v{era}")


def source(text: str, era: str) -> Source:
    """Returns the source that `text` names, as `era` has it.

    `text` is `kernel/bpf/syscall.c: map_update_elem()`, `kernel/bpf/syscall.c: SYSCALL_DEFINE3(bpf)`, a name without
    parentheses for data, or `commit HASH, SUBJECT`. Raises ValueError for anything else.
    """
    if commit := _COMMIT.fullmatch(text):
        return Source(text, f"https://git.kernel.org/linus/{commit['hash']}")
    if file := _FILE.fullmatch(text):
        return Source(text, f"https://elixir.bootlin.com/linux/{tag(era)}/source/{file['path']}")
    raise ValueError(f"{text!r} names neither FILE: FUNCTION() nor commit HASH, SUBJECT")
