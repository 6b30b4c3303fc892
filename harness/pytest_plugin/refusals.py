# SPDX-License-Identifier: MIT
"""The verifier's reasons for refusals, for tests that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.lowering.executor import GuestExecutor, Observed
from harness.script.operations import LoadProgram, Script
from hil.errors import MachineLost


def logs(executor: GuestExecutor, seen: Sequence[Observed]) -> Iterator[tuple[str, str]]:
    """Yields name and verifier's log of every program that was refused.

    Where the script did not ask for the log, it is run again with it. A guest that is gone gives no log.
    """
    try:
        for one in seen:
            refused = {index: load for index, load in _loads(one.script) if one.outcomes[index].errno}
            if any(one.outcomes[index].log is None for index in refused):
                one = _again(executor, one, refused)
            for index, load in refused.items():
                if log := one.outcomes[index].log:
                    yield load.name, str(log)
    except MachineLost:
        return


def _loads(script: Script) -> list[tuple[int, LoadProgram]]:
    return [(index, one) for index, one in enumerate(script.operations) if isinstance(one, LoadProgram)]


def _again(executor: GuestExecutor, seen: Observed, refused: dict[int, LoadProgram]) -> Observed:
    operations = list(seen.script.operations)
    for index, load in refused.items():
        operations[index] = replace(load, log_level=load.log_level or 1)
    (again,) = executor.run([replace(seen.script, operations=tuple(operations))])
    return again if isinstance(again, Observed) else seen
