"""Reading known.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from harness.run.known import KnownDivergence
from harness.run.results import RunReport
from hil.errors import BenchError

FILE = Path(__file__).with_name("known.toml")


def load(path: Path = FILE) -> tuple[KnownDivergence, ...]:
    """The rows of the file; BenchError for one that lacks a key or has an empty one."""
    try:
        rows = tomllib.loads(path.read_text()).get("divergence", [])
    except tomllib.TOMLDecodeError as error:
        raise BenchError(f"{path} is no TOML: {error}") from None
    return tuple(_row(path, number, row) for number, row in enumerate(rows, 1))


def stale(known: Sequence[KnownDivergence], report: RunReport) -> tuple[KnownDivergence, ...]:
    """Rows that cover results of this run, none of which diverged."""
    covered = {row: [result for result in report.results if row.covers(result)] for row in known}
    return tuple(row for row, results in covered.items() if results and all(one.verdict == "agree" for one in results))


def _row(path: Path, number: int, row: dict[str, str]) -> KnownDivergence:
    missing = [key for key in ("clause", "lane", "reason", "link") if not row.get(key)]
    if missing:
        raise BenchError(f"{path}: divergence {number} has no {', '.join(missing)}")
    return KnownDivergence(row["clause"], row["lane"], row["reason"], row["link"])
