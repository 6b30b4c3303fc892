"""What a run leaves behind, written file by file."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from harness import history
from harness.report import page
from harness.run import junit
from harness.run.results import RunReport
from hil.errors import BenchError, HilError


class Unwritten(BenchError):
    """Something of a run could not be written; `report` is the run."""

    def __init__(self, report: RunReport, folder: Path, faults: dict[str, Exception]) -> None:
        told = ", ".join(f"{name} ({error})" for name, error in faults.items())
        ours = [error for error in faults.values() if not isinstance(error, OSError | HilError)]
        super().__init__(
            f"the run folder {folder} lacks {told}",
            remedy="look at its disk, or name another place with --output",
            details="".join(line for error in ours for line in traceback.format_exception(error)),
        )
        self.report = report


def write_artifacts(report: RunReport, folder: Path, unkept: Mapping[str, Exception] = MappingProxyType({})) -> None:
    """Write `results.json`, `junit.xml` and `report.html`, and record the run in the history; `unkept` is what was not
    to be written before.

    Unwritten, after everything was tried: what one of them fails at, a full disk say, must not cost the others.
    """
    faults = {**unkept, **dict(_faults(report, folder))}
    history.keep(report, folder)
    if faults:
        raise Unwritten(report, folder, faults)


def _faults(report: RunReport, folder: Path) -> Iterator[tuple[str, Exception]]:
    writers: dict[str, Callable[[Path], None]] = {
        "results.json": report.write,
        "junit.xml": lambda path: junit.write(report, path),
        "report.html": lambda path: page.write(report, folder, path),
    }
    for name, write in writers.items():
        try:
            write(folder / name)
        except Exception as error:
            yield name, error
