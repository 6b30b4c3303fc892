# SPDX-License-Identifier: MIT
"""Answers of kernels, which are stored, so that no kernel is asked the same twice and an interrupted search goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Set
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from harness.bisect.behaviour import Behaviour
from harness.lane import Engine
from harness.script.operations import Script
from hil import cache, directories
from hil.kernels.points import Point
from hil.version import version
from hil.whole import write_whole

_FORMAT = 1


@dataclass(frozen=True)
class Answer:
    """The answer of one kernel: the script's behaviour there, and the verdict on it with the operation it is about; or,
    where there is none, why the kernel has to be skipped."""

    behaviour: Behaviour | None
    verdict: str = ""
    skipped: str = ""


def place(point: Point, engine: Engine, script: Script, rounds: int) -> Path:
    """Returns the file of the answer to this question: its name depends on the hash of the kernel's package, that of
    the script, and the version of the bench, which may compare otherwise than an older one."""
    asked = [_FORMAT, version(), point.image.sha256, point.image.version, str(point.arch), str(engine), rounds]
    digest = hashlib.sha256(json.dumps([*asked, _plain(script.operations), _plain(script.expected)]).encode())
    return directories.cache() / "answers" / f"{digest.hexdigest()[:32]}.json"


def read(path: Path) -> Answer | None:
    """Returns the stored answer; None when there is none that can be read."""
    try:
        kept = json.loads(path.read_text())
        operations = tuple(tuple((field, text) for field, text in leaves) for leaves in kept["operations"])
        return Answer(Behaviour(operations), kept["verdict"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(path: Path, answer: Answer) -> None:
    """Stores an answer, except that of a kernel that was lost or skipped: the next time it may be available."""
    if answer.behaviour is None or answer.behaviour.lost:
        return
    with cache.locked(path.parent), cache.writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({**asdict(answer.behaviour), "verdict": answer.verdict}))


def _plain(value: Any) -> Any:
    """Returns data that are the same in every process: sets are sorted."""
    if is_dataclass(value):
        return [type(value).__name__, *(_plain(getattr(value, field.name)) for field in fields(value))]
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Set):
        return sorted(json.dumps(_plain(one)) for one in value)
    return repr(value)
