# SPDX-License-Identifier: MIT
"""What lockstep costs: a machine that has the recorder and records nothing, a program that is recorded, and a script
from the start of the command to its end."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.benchmarks.batching import run_cases
from harness.benchmarks.ratio import Ratio, cpu_seconds, seconds
from harness.isa.assemble import R0, add64_imm, exit_, mov64_imm, program
from harness.lane import Engine
from harness.lockstep.recording import LockstepLane, lockstep_machine
from harness.lowering.executor import Missed
from harness.script.operations import LoadProgram, ProgramType, Ref, RunSocketFilter, Script
from harness.session import Bootable, Session, lane_session
from hil import programs
from hil.errors import BenchError
from hil.machine import Machine, accelerator
from hil.machine.accelerator import TCG
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
CASES, SLICES = 150, 20
"""Of `batching.CASE`, a tenth of a second of CPU; how often both machines take their turn."""
WHOLE = "arguments"
"""The core script whose program has 50 instructions."""
_HIL = "hil"


def lockstep_ratios(
    name: str, bootable: Bootable, folder: Path, rounds: int, notify: Callable[[str], None]
) -> Iterator[Ratio]:
    """Yields the ratios of one kernel and architecture. Raises what `lockstep_machine` raises."""
    lane = str(bootable.kernel)
    if accelerator.choose(bootable.kernel.arch) is TCG:
        yield _idle(lane, bootable, folder, rounds, notify)
    else:
        notify(f"the idle recorder on {lane} is not measured under KVM, which has none: set HIL_ACCELERATOR=tcg")
    with lockstep_machine(name, bootable, folder) as machine:
        for engine in Engine:
            yield _recorded(f"{lane}/{engine}", machine.lane(engine), rounds, notify)
    for engine in Engine:
        yield _altogether(name, bootable.kernel.arch.name, engine, rounds, notify)


def _idle(lane: str, bootable: Bootable, folder: Path, rounds: int, notify: Callable[[str], None]) -> Ratio:
    """Runs the same cases on a machine with the recorder, which was told nothing, and on one without. They take turns
    many times a round, since a busy host changes what the same work costs."""
    recorder = Recorder(bootable.kernel.arch, folder)
    having, lacking = [], []
    try:
        with (
            lane_session(bootable, folder / "with", engine=Engine.JIT, plugin=recorder.option) as with_it,
            lane_session(bootable, folder / "without", engine=Engine.JIT) as without_it,
        ):
            both = with_it, without_it
            _slices(both)  # warm: the translator's cache, the guest's slabs
            for number in range(1, rounds + 1):
                notify(f"cases with and without the recorder on {lane}, round {number} of {rounds}")
                took = _slices(both)
                having.append(took[0])
                lacking.append(took[1])
    finally:
        recorder.close()
    name = f"{lane}: CPU of QEMU for {SLICES * CASES} cases with the recorder, idle / without"
    return Ratio(name, "s", (*having,), (*lacking,), "under 1.05")


def _slices(sessions: Sequence[Session[Machine]]) -> Sequence[float]:
    """Runs cases on all of them in turn, in both orders; returns the seconds of the host's CPUs that each QEMU took."""
    took = [0.0 for _ in sessions]
    for number in range(SLICES):
        for place, session in list(enumerate(sessions))[:: -1 if number % 2 else 1]:
            before = cpu_seconds(session.target.pid)
            run_cases(session.executor, CASES)
            took[place] += cpu_seconds(session.target.pid) - before
    return took


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


def _altogether(name: str, arch: str, engine: Engine, rounds: int, notify: Callable[[str], None]) -> Ratio:
    """Compares one script in lockstep, from the start of the command to its end, and runs it without lockstep in turn,
    as a user does; the machine is restored for both."""
    lane = f"{name}/{arch}/{engine}"
    compared, run = [], []
    with TemporaryDirectory(prefix="hil-bench-") as folder:
        environment = {**os.environ, "HIL_HISTORY": str(Path(folder) / "history.sqlite"), "HIL_OUTPUT": folder}
        in_lockstep = _HIL, "debug", "--lockstep", WHOLE, "--lane", lane
        alone = _HIL, "run", "--scripts", WHOLE, "--lanes", lane
        for command in (in_lockstep, alone):
            _carry_out(command, environment)  # the saved machine, and what else is kept
        for number in range(1, rounds + 1):
            notify(f"a script in lockstep on {lane}, round {number} of {rounds}")
            compared.append(seconds(lambda: _carry_out(in_lockstep, environment)))
            run.append(seconds(lambda: _carry_out(alone, environment)))
    return Ratio(
        f"{lane}: hil debug --lockstep {WHOLE}, of 50 instructions / hil run", "s", (*compared,), (*run,), "under 2 s"
    )


def _carry_out(command: Sequence[str], environment: Mapping[str, str]) -> None:
    done = programs.run([sys.executable, "-m", *command], environment=environment)
    if done.returncode:
        raise BenchError(f"{shlex.join(command)} ended with {done.returncode}", details=done.stdout + done.stderr)
