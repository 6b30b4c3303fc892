# SPDX-License-Identifier: MIT
"""The verifier's reasons for refusals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.lowering.executor import GuestExecutor, Observed
from harness.lowering.verifier_log import read
from harness.script.operations import LoadProgram, Script
from hil.errors import MachineLost


def logs(executor: GuestExecutor, seen: Sequence[Observed]) -> Iterator[tuple[str, str]]:
    """Yields name and verifier's log of every program that was refused.

    Where the script did not ask for the log, it is run again with it. A guest that is gone gives no log.
    """
    try:
        for one in seen:
            yield from ((load.name, log) for load, log in _refused(executor, one).values())
    except MachineLost:
        return


def reasons(executor: GuestExecutor, seen: Observed) -> dict[int, str]:
    """Returns the last words of the verifier's log of every refused program, by the number of its operation; of those
    that have some. Otherwise as `logs`."""
    try:
        found = {index: read(log).reason for index, (_, log) in _refused(executor, seen).items()}
    except MachineLost:
        return {}
    return {index: "; ".join(reason) for index, reason in found.items() if reason}


def _refused(executor: GuestExecutor, seen: Observed) -> dict[int, tuple[LoadProgram, str]]:
    refused = {index: load for index, load in _loads(seen.script) if seen.outcomes[index].errno}
    if any(seen.outcomes[index].log is None for index in refused):
        seen = _again(executor, seen, refused)
    return {index: (load, str(log)) for index, load in refused.items() if (log := seen.outcomes[index].log)}


def _loads(script: Script) -> list[tuple[int, LoadProgram]]:
    return [(index, one) for index, one in enumerate(script.operations) if isinstance(one, LoadProgram)]


def _again(executor: GuestExecutor, seen: Observed, refused: dict[int, LoadProgram]) -> Observed:
    operations = list(seen.script.operations)
    for index, load in refused.items():
        operations[index] = replace(load, log_level=load.log_level or 1)
    (again,) = executor.run([replace(seen.script, operations=tuple(operations))])
    return again if isinstance(again, Observed) else seen
