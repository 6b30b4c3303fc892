# SPDX-License-Identifier: MIT
"""One lane in lockstep: a machine with the recorder, what is recorded for its engine, and the self-test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.abi import bpf
from harness.isa.opcodes import STACK_SIZE
from harness.lane import Engine, Lane
from harness.lockstep import dispatch, kept
from harness.lockstep.actual import CODE_BYTES, REGISTER_WORDS, GuestProgram, GuestRun, compiled, interpreted
from harness.lockstep.inside import INTERPRETERS
from harness.lockstep.loads import Loads, loads
from harness.lockstep.registers import jit_registers
from harness.lowering import watch
from harness.lowering.executor import Missed, Observed
from harness.lowering.refusals import reasons
from harness.lowering.watch import LoadedCode, Watch
from harness.model.environment import Environment
from harness.release import release
from harness.script.needs import Need
from harness.script.operations import Script
from harness.session import QUIET, Bootable, Listener, Session, choose_engine, lane_session
from hil.errors import BenchError
from hil.gdb.table import SymbolTable
from hil.machine import Machine
from hil.recorder import Group, Place, Record, Recorder, Window

_WORD = 8
_END_OF_MEMORY = 1 << 64
_INSTRUCTIONS, _LOADS = range(2)
"""The groups of records."""
_KERNEL_HALF = 0xFFFF << 48


@dataclass(frozen=True)
class Recorded:
    """A script that ran while it was recorded: the guest's outcomes, its programs, and their runs. `reasons` has the
    verifier's last words on the programs that it refused, by the numbers of their operations."""

    seen: Observed | Missed
    programs: tuple[GuestProgram, ...]
    runs: tuple[GuestRun, ...]
    reasons: Mapping[int, str] = field(default_factory=dict)


class LockstepLane:
    """A running lane, every BPF instruction of which can be recorded."""

    def __init__(self, lane: Lane, session: Session[Machine], recorder: Recorder, symbols: SymbolTable) -> None:
        self.lane = lane
        self.session = session
        self.recorder = recorder
        self.labels: tuple[int, ...] = ()
        self.group = Group(())
        """What is recorded of an instruction."""
        self._loads: Loads | None = None
        """Where programs are seen as they are loaded, on kernels that do not tell of them."""
        self._told: Sequence[LoadedCode] = ()
        if release(session.kernel.era) < bpf.TELLS_LINES:
            compiled = lane.engine is Engine.JIT
            self._loads = loads(lane.arch, session.kernel.era, symbols, self._read, compiled=compiled)
        if lane.engine is Engine.INTERP:
            self._arm_interpreter(symbols)
        else:
            self._arm_jit(symbols)

    @property
    def environment(self) -> Environment:
        """Returns what the model has to know of the lane."""
        return self.session.environment(self.lane.engine)

    def record(self, script: Script) -> Recorded:
        """Runs a script and returns what its programs did.

        Raises BenchError when records were lost, or are not to be believed.
        """
        if Need.TWO_CPUS in script.needs:
            self.session.bring_up_cpus()
        recorded = self.taken(script, seen := self.run(script))
        said = reasons(self.session.executor, seen) if isinstance(seen, Observed) else {}
        return replace(recorded, reasons=said)

    def run(self, script: Script) -> Observed | Missed:
        """Runs a script and records what its programs do, for `taken` at its end and for `so_far` meanwhile."""
        executor = self.session.executor
        executor.watch = None if self._loads else Watch()
        try:
            with self.recorder.recording():
                (seen,) = executor.run([script])
            self._told = executor.watch.told if executor.watch else []
        finally:
            executor.watch = None
        return seen

    def taken(self, script: Script, seen: Observed | Missed) -> Recorded:
        """Returns what the programs of the script did that `run` was called with last; errors as `record`."""
        records = self._believed(script)
        told = self._told
        if self._loads and isinstance(seen, Observed):
            told = self._loads.codes(script, seen.outcomes, [one for one in records if one.group == _LOADS])
        programs = tuple(_programs(seen, told, compiled=self.lane.engine is Engine.JIT))
        return Recorded(seen, programs, self._runs(records, programs))

    def so_far(self, script: Script, programs: Sequence[GuestProgram]) -> Recorded:
        """Returns what a script that is under way did until now: `programs` has one for each that it loads, with code
        if the kernel has loaded it. Errors as `record`."""
        loaded = [one for one in programs if one.code.lines]
        runs = self._runs(self._believed(script), loaded)
        return Recorded(Missed(script, None, "it is under way"), tuple(programs), runs)

    def _runs(self, records: Sequence[Record], programs: Sequence[GuestProgram]) -> tuple[GuestRun, ...]:
        executed = [one for one in records if one.group == _INSTRUCTIONS]
        if self.lane.engine is Engine.INTERP:
            return tuple(interpreted(executed, programs, self.labels))
        return tuple(compiled(executed, programs))

    def _believed(self, script: Script) -> list[Record]:
        if self.recorder.lost or self.recorder.failed:
            raise BenchError(
                f"{script.name} in lockstep on {self.lane}: {self.recorder.lost} records found no room, and "
                f"{self.recorder.failed} registers could not be read",
                remedy="record a script that executes fewer instructions",
            )
        records = self.recorder.records()
        if stale := sum(record.stale for record in records):
            raise BenchError(
                f"{script.name} in lockstep on {self.lane}: {stale} of {len(records)} records may have the registers "
                "of an earlier instruction",
                remedy="install QEMU 10 (on Debian 12 from bookworm-backports), which can read them everywhere",
            )
        return records

    def _arm_interpreter(self, symbols: SymbolTable) -> None:
        function = next((one for name in INTERPRETERS for one in symbols.symbols if one.name == name), None)
        if function is None:
            raise BenchError(
                f"{self.lane} has no symbol {' or '.join(INTERPRETERS)}, so its interpreter is not found",
                remedy="its kernel needs CONFIG_KALLSYMS, or a vmlinux",
            )
        found = kept.dispatch(
            self.session.kernel,
            lambda: dispatch.find(self.lane.arch, function.address, function.size, self._read),
        )
        self.labels = found.labels
        group = Group(
            (found.instruction, found.array),
            (
                Window(1, 0, CODE_BYTES),
                Window(2, found.offset, _WORD * REGISTER_WORDS),
                Window(15, -STACK_SIZE, STACK_SIZE),
            ),
        )
        self._arm(group, [Place(label, label + 1) for label in set(found.labels)])

    def _arm_jit(self, symbols: SymbolTable) -> None:
        """Records whatever runs outside of the kernel's text and of modules: programs are among it, wherever they are
        loaded."""
        registers = jit_registers(self.lane.arch, self.session.kernel.era)
        stacks = (Window(word, -STACK_SIZE, STACK_SIZE) for word in range(REGISTER_WORDS, len(registers) + 1))
        group = Group(registers, (Window(0, 0, CODE_BYTES), *stacks))
        start, end = map(symbols.address, kept.TEXT)
        if start is None or end is None:
            raise BenchError(
                f"{self.lane} has no symbols {' and '.join(kept.TEXT)}, so its programs cannot be told from the kernel",
                remedy="its kernel needs CONFIG_KALLSYMS, or a vmlinux",
            )
        taken = sorted([(start, end), *self._modules()])
        places, at = [], _KERNEL_HALF
        for first, last in taken:
            if at < first:
                places.append(Place(at, first))
            at = max(at, last)
        places.append(Place(at, _END_OF_MEMORY - 1))
        self._arm(group, places)

    def _arm(self, instructions: Group, places: list[Place]) -> None:
        self.group = instructions
        groups = [instructions]
        if self._loads:
            groups.append(self._loads.group)
            places = [*places, Place(self._loads.place, self._loads.place + 1, _LOADS)]
        self.recorder.arm(groups, places, self._nudge)

    def _modules(self) -> Iterator[tuple[int, int]]:
        """Yields where modules are. What runs in others is recorded as well, and belongs to no program."""
        for line in self.session.executor.text("/proc/modules").splitlines():
            fields = line.split()
            yield int(fields[5], 16), int(fields[5], 16) + int(fields[1])

    def _read(self, address: int, size: int) -> bytes:
        """Reads the guest's memory at a virtual address."""
        return self.session.target.memory(address, size)

    def _nudge(self) -> None:
        """Makes the guest execute something that QEMU has to translate: with this item of its log, which prints nothing
        by itself, translations do not lead to each other, so that it takes none that are otherwise made."""
        machine = self.session.target
        machine.qmp.human("log nochain")
        try:
            self.session.executor.settle()
        finally:
            if machine.alive:
                machine.qmp.human("log none")


def _programs(seen: Observed | Missed, told: Sequence[LoadedCode], *, compiled: bool) -> Iterator[GuestProgram]:
    """Yields each program that the script loads; those of which the kernel told nothing as the script has them."""
    outcomes = seen.outcomes if isinstance(seen, Observed) else ()
    for operation, code in watch.loads(seen.script, outcomes, told):
        refused = compiled and bool(code.translated) and not code.native
        yield GuestProgram(operation.name, tuple(operation.program.instructions), code, refused)


class LockstepMachine:
    """A running machine with the recorder, on which either engine can be a lane in lockstep."""

    def __init__(self, kernel: str, session: Session[Machine], recorder: Recorder, symbols: SymbolTable) -> None:
        self.kernel = kernel
        self.session = session
        self.recorder = recorder
        self.symbols = symbols

    def lane(self, engine: Engine) -> LockstepLane:
        """Chooses an engine, and records what it executes; the lane of the other one is over. Raises UserError when the
        kernel does not have it."""
        choose_engine(self.session, engine)
        lane = Lane(self.kernel, self.session.kernel.arch.name, engine)
        return LockstepLane(lane, self.session, self.recorder, self.symbols)


@contextmanager
def lockstep_machine(
    kernel: str, bootable: Bootable, folder: Path, listener: Listener = QUIET, *, for_gdb: bool = False
) -> Iterator[LockstepMachine]:
    """Boots a kernel with the recorder; `for_gdb` as in `lane_session`. Raises what that and `Recorder` raise, and
    UserError for an architecture that lockstep has no tables for."""
    arch = bootable.kernel.arch
    dispatch.disassembler(arch.name)
    recorder = Recorder(arch, folder)
    try:
        with lane_session(bootable, folder, plugin=recorder.option, for_gdb=for_gdb, listener=listener) as session:
            symbols = kept.symbols(session.kernel, session.target, listener.note)
            yield LockstepMachine(kernel, session, recorder, symbols)
    finally:
        recorder.close()
