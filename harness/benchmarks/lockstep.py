# SPDX-License-Identifier: MIT
"""What lockstep costs: a machine that has the recorder and records nothing, a program that is recorded, and a script
from the start of its machine to the finished comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from harness.benchmarks.batching import CASE, run_cases
from harness.benchmarks.ratio import Ratio, seconds
from harness.isa.assemble import R0, add64_imm, exit_, mov64_imm, program
from harness.lane import Engine
from harness.lockstep.checking import check
from harness.lockstep.recording import LockstepLane, lockstep_machine
from harness.lockstep.selftest import self_test
from harness.lowering.executor import Missed
from harness.script.operations import LoadProgram, ProgramType, Ref, RunSocketFilter, Script
from harness.session import Bootable, lane_session
from hil.errors import BenchError
from hil.recorder import Recorder

LONG, RUNS = 2000, 40
"""Instructions of a program, which must fit in a socket's memory of 20 KiB, and its runs."""
RECORDED = Script(
    "recorded",
    "many instructions",
    (
        LoadProgram(
            "it",
            ProgramType.SOCKET_FILTER,
            program(mov64_imm(R0, 0), [add64_imm(R0, 1) for _ in range(LONG - 2)], exit_()),
        ),
        *(RunSocketFilter(Ref("it"), b"packet") for _ in range(RUNS)),
    ),
)
CASES = 200
"""Of `batching.CASE`: enough for half a second."""


def lockstep_ratios(
    name: str, bootable: Bootable, folder: Path, rounds: int, notify: Callable[[str], None]
) -> Iterator[Ratio]:
    """Yields the ratios of one kernel and architecture. Raises what `lockstep_machine` raises."""
    lane = str(bootable.kernel)
    yield _idle(lane, bootable, folder, rounds, notify)
    with lockstep_machine(name, bootable, folder) as machine:
        for engine in Engine:
            yield _recorded(f"{lane}/{engine}", machine.lane(engine), rounds, notify)
    yield _altogether(name, lane, bootable, folder, rounds, notify)


def _idle(lane: str, bootable: Bootable, folder: Path, rounds: int, notify: Callable[[str], None]) -> Ratio:
    """Runs the same cases in turn on a machine with the recorder, which was told nothing, and on one without."""
    recorder = Recorder(bootable.kernel.arch, folder)
    having, lacking = [], []
    try:
        with (
            lane_session(bootable, folder / "with", engine=Engine.JIT, plugin=recorder.option) as with_it,
            lane_session(bootable, folder / "without", engine=Engine.JIT) as without_it,
        ):
            for one in (with_it, without_it):
                run_cases(one.executor, CASES)  # warm: the translator's cache, the guest's slabs
            for number in range(1, rounds + 1):
                notify(f"cases with and without the recorder on {lane}, round {number} of {rounds}")
                having.append(seconds(lambda: run_cases(with_it.executor, CASES)))
                lacking.append(seconds(lambda: run_cases(without_it.executor, CASES)))
    finally:
        recorder.close()
    return Ratio(f"{lane}: {CASES} cases with the recorder, idle / without", "s", (*having,), (*lacking,), "under 1.05")


def _recorded(name: str, lane: LockstepLane, rounds: int, notify: Callable[[str], None]) -> Ratio:
    """Runs the same program in turn while it is recorded and while it is not; the guest alone, without the model."""
    recorded, plain = [], []
    recorder = lane.recorder

    def run() -> None:
        (seen,) = lane.session.executor.run([RECORDED])
        if isinstance(seen, Missed) or any(one.errno for one in seen.outcomes):
            raise BenchError(f"{name}: the benchmark's program did not run: {seen}")

    def record() -> None:
        with recorder.recording():
            run()

    for number in range(1, rounds + 1):
        notify(f"a program of {LONG} instructions on {name}, round {number} of {rounds}")
        took = seconds(record)
        if recorder.lost or not recorder.size:
            raise BenchError(f"{name}: {recorder.lost} records found no room, {recorder.size} bytes were recorded")
        recorded.append(LONG * RUNS / took)
        plain.append(LONG * RUNS / seconds(run))
    return Ratio(f"{name}: instructions run and recorded / run", "1/s", tuple(recorded), tuple(plain), "")


def _altogether(
    name: str, lane: str, bootable: Bootable, folder: Path, rounds: int, notify: Callable[[str], None]
) -> Ratio:
    """Compares one script in lockstep, from QEMU's start to the end of the comparison with the self-test, and runs it
    without lockstep in turn; the machine is restored for both."""
    compared, run = [], []

    def in_lockstep() -> None:
        with lockstep_machine(name, bootable, folder) as machine:
            ready = machine.lane(Engine.INTERP)
            self_test(ready)
            found = check(ready, CASE).examined
        if found.difference or found.note:
            raise BenchError(f"{lane}: the benchmark's case in lockstep: {found.sentence}")

    def alone() -> None:
        with lane_session(bootable, folder, engine=Engine.INTERP) as session:
            run_cases(session.executor, 1)

    for number in range(1, rounds + 1):
        notify(f"a case in lockstep on {lane}, round {number} of {rounds}")
        compared.append(seconds(in_lockstep))
        run.append(seconds(alone))
    return Ratio(
        f"{lane}: a case of 50 instructions, start to end, in lockstep / only run",
        "s",
        tuple(compared),
        tuple(run),
        "under 2 s",
    )
