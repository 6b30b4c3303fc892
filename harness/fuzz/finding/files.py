# SPDX-License-Identifier: MIT
"""A finding in a file: a script, where it was seen and what was seen, so that it can be run again anywhere."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harness.fuzz.finding.judging import Kind, Shrunk
from harness.script.operations import Script
from harness.script.written import read as read_script
from harness.script.written import written
from hil.errors import UserError, os_error
from hil.version import version
from hil.whole import write_whole

_log = logging.getLogger(__name__)

FOLDER = "findings"
"""The folder of a campaign that has them."""
LOCK = ".lock"
"""Beside the findings of several campaigns: held by the one that adds to them."""
PATIENCE = 5.0
"""Seconds to wait for it; it is held for a moment."""
_FORMAT = 1
_TEST = '''"""{title}"""

from pathlib import Path

from harness.testing import LaneGuest, read_finding

FINDING = read_finding(Path(__file__).with_suffix(".json"))


def {function}(guest: LaneGuest) -> None:
    guest.check(FINDING.script)
'''


@dataclass(frozen=True)
class Finding:
    """A script, the lanes it was seen on, and what was seen: a verdict and its reason."""

    script: Script
    lanes: tuple[str, ...]
    verdict: str
    reason: str


def name(found: Shrunk, *more: str) -> str:
    """Returns the name of its file: one for all findings that have the same kind and the same opcodes, and `more`."""
    kind = Kind.of(found.result)
    same = "|".join((*more, *map(str, vars(kind).values()), *found.opcodes))
    stem = f"{kind.operation or kind.verdict}-{hashlib.sha256(same.encode()).hexdigest()[:12]}"
    return f"{stem.replace('/', '-')}.json"


def collect(folder: Path, found: Shrunk, origin: dict[str, Any]) -> Path:
    """Writes a finding to a folder of several campaigns, where there is none of its class, on whatever lane; else
    only the lane is added to that one. What cannot be collected there, since the file of its class is damaged, the
    folder cannot be written or its lock is held for long, is only warned of: the campaign has it in its own folder.
    Returns the path."""
    path = folder / name(found)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK, timeout=PATIENCE, mode=0o666):  # of campaigns of whoever may write there
            if path.exists():
                _add_lane(path, found.result.lane)
            else:
                _write(path, found, origin)
    except Timeout:
        _log.warning("%s is not collected: another process holds %s", found.script.name, folder / LOCK)
    except OSError as error:
        _log.warning("%s is not collected: %s", found.script.name, os_error(error, path))
    except UserError as damaged:
        _warn_of_damaged(path, damaged.what)
    return path


def _add_lane(path: Path, lane: str) -> None:
    known = read(path)
    if lane not in known.lanes:
        record = json.loads(path.read_text())
        write_whole(path, json.dumps({**record, "lanes": [*known.lanes, lane]}, indent=1) + "\n")


@cache
def _warn_of_damaged(path: Path, why: str) -> None:
    """Once for each file, which may be that of a frequent class; `why` names it."""
    _log.warning("%s; it stays, and nothing of its class is collected until %s is removed", why, path.name)


def write(folder: Path, found: Shrunk, origin: dict[str, Any]) -> Path:
    """Writes a finding and, beside it, a test that fails while it can be seen, and a C program that shows it; one that
    is there already stays. `origin` says where the case came from. Returns the path of the finding; raises OSError."""
    path = folder / name(found, found.result.lane)
    return path if path.exists() else _write(path, found, origin)


def copy(folder: Path, into: Path) -> None:
    """Copies the findings of a folder into another, each with the test and the C program beside it; one that is there
    already stays. What a kill left of one is none: its file is written last. Raises OSError."""
    for path in sorted(folder.glob("*.json")):
        if not (into / path.name).exists():
            into.mkdir(exist_ok=True)
            for one in (path.with_suffix(".py"), path.with_suffix(".c"), path):
                if one.exists():
                    shutil.copyfile(one, into / one.name)


def _write(path: Path, found: Shrunk, origin: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    function = f"test_{found.script.name.replace('-', '_')}"
    lane = found.result.lane
    title = f"{found.script.name}, seen on {lane}: pytest --hil-lanes {lane} {path.with_suffix('.py').name}"
    write_whole(path.with_suffix(".py"), _TEST.format(title=title, function=function))
    if found.c:
        write_whole(path.with_suffix(".c"), found.c)
    record = {
        "format": _FORMAT,
        "lanes": [lane],
        "verdict": str(found.result.verdict),
        "reason": found.result.reason,
        "instructions": {"found": found.before, "left": found.after},
        **({"whole": found.whole} if found.whole else {}),
        "origin": origin,
        "c": path.with_suffix(".c").name if found.c else f"none: {found.why_no_c}",
        "hil": version(),
        "script": written(found.script),
    }
    write_whole(path, json.dumps(record, indent=1) + "\n")
    return path


def read(path: Path) -> Finding:
    """Returns the finding in a file; raises UserError when it has none."""
    remedy = "name a file of the folder `findings` of a campaign"
    try:
        data = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}", remedy=remedy) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged, or no finding: {error}", remedy=remedy) from error
    if not isinstance(data, dict) or "format" not in data:
        raise UserError(f"{path} is no finding", remedy=remedy)
    if data["format"] != _FORMAT:
        raise UserError(f"{path} has another format than this hil reads", remedy="use the hil that wrote it")
    lanes, verdict, reason = (data.get(part) for part in ("lanes", "verdict", "reason"))
    if not isinstance(lanes, list) or not lanes or not all(isinstance(lane, str) for lane in lanes):
        raise UserError(f"{path} names no lanes", remedy=remedy)
    if not isinstance(verdict, str) or not isinstance(reason, str):
        raise UserError(f"{path} does not say what was seen", remedy=remedy)
    return Finding(read_script(data.get("script"), str(path)), tuple(lanes), verdict, reason)
