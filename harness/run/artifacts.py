# SPDX-License-Identifier: MIT
"""The files of a run."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from harness.run.results import RunReport
from hil.errors import BenchError, HilError, exhausted

Write = Callable[[RunReport, Path], None]


def _nothing(_: RunReport, __: Path) -> None:
    pass


@dataclass(frozen=True)
class Artifacts:
    """The outputs of a run: `files` of its folder by their names, each with the function that writes the report to a
    path, and `record`, which is called with the report and the folder when they are written."""

    files: Mapping[str, Write]
    record: Write = _nothing


RESULTS = Artifacts({"results.json": lambda report, path: report.write(path)})
"""The file that every run writes, and from which it can be read again."""


class Unwritten(BenchError):
    """A file of a run could not be written; `report` is the run."""

    def __init__(self, report: RunReport, folder: Path, faults: dict[str, Exception]) -> None:
        whys = {name: exhausted(error) or error for name, error in faults.items()}
        missing = ", ".join(f"{name} ({why})" for name, why in whys.items())
        ours = [error for error in whys.values() if not isinstance(error, OSError | HilError)]
        super().__init__(
            f"the run folder {folder} lacks {missing}",
            remedy="look at its disk, or name another place with --output",
            details="".join(line for error in ours for line in traceback.format_exception(error)),
        )
        self.report = report


def write_artifacts(
    report: RunReport,
    folder: Path,
    artifacts: Artifacts = RESULTS,
    unkept: Mapping[str, Exception] = MappingProxyType({}),
) -> None:
    """Write what `artifacts` says; `unkept` is what was not to be written before.

    Unwritten, after everything was tried: what one of them fails at, a full disk say, must not cost the others.
    """
    faults = {**unkept, **dict(_faults(report, folder, artifacts))}
    artifacts.record(report, folder)
    if faults:
        raise Unwritten(report, folder, faults)


def _faults(report: RunReport, folder: Path, artifacts: Artifacts) -> Iterator[tuple[str, Exception]]:
    for name, write in artifacts.files.items():
        try:
            write(report, folder / name)
        except Exception as error:
            yield name, error
