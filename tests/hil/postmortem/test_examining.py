# SPDX-License-Identifier: MIT
"""A crash, a hang and an idle guest told apart, without a machine."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hil.arch import architecture
from hil.errors import BenchError
from hil.gdb.frame import Frame
from hil.gdb.table import Symbol, SymbolTable
from hil.machine.monitor import MonitorFailed
from hil.machine.postmortem import Death, PostMortem
from hil.postmortem import StillCpu, examine, examining

TEXT = 0xFFFF_8000_0800_0000
STACK = 0xFFFF_8000_0A00_0000
WFI = 0xD503207F
LOOP, IDLE, PANIC, CAUSE, DIE, OTHER = (TEXT + 0x1000 * number for number in range(6))
TABLE = SymbolTable(
    Symbol(name, address, True, size=0x1000)
    for name, address in {
        "loop": LOOP,
        "cpu_do_idle": IDLE,
        "panic": PANIC,
        "sysrq_handle_crash": CAUSE,
        "die": DIE,
        "other": OTHER,
    }.items()
)
USER = 0x40_0000


class Guest:
    """An arm64 guest: where each CPU is at each look, with the return addresses on its stack, innermost first."""

    arch = architecture("arm64")

    def __init__(self, *looks: Sequence[Sequence[int]], status: str = "running") -> None:
        self.spec: Any = SimpleNamespace(folder=Path("machine"), kernel=None)
        self.done: list[str] = []
        self.looks = list(looks)
        self._status = status
        self._memory: dict[int, bytes] = {IDLE: struct.pack("<I", WFI)}
        self.qmp = self

    def execute(self, command: str, **_: object) -> Any:
        self.done.append(command)
        return {"status": self._status}

    def human(self, _: str) -> str:
        stacks = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        dumps = []
        for number, (pc, *callers) in enumerate(stacks):
            at = STACK + 0x10000 * number
            for level, caller in enumerate(callers):
                following = at + 16 * (level + 1) if level + 1 < len(callers) else 0
                self._memory[at + 16 * level] = struct.pack("<QQ", following, caller)
            fp = at if callers else 0
            dumps.append(f"CPU#{number}\n PC={pc:016x} X29={fp:016x} X30={0:016x} SP={at:016x}\nPSTATE=800000c5\n")
        return "\n".join(dumps)

    def memory(self, address: int, size: int, cpu: int) -> bytes:
        found = bytearray(size)
        for at, data in self._memory.items():
            if address <= at < address + size:
                found[at - address : at - address + len(data)] = data
        if not any(found) and address // 0x10000 != TEXT // 0x10000:
            raise MonitorFailed("nothing is mapped there")
        return bytes(found)


class Linked:
    """An unwinder of the stacks that `Guest` makes."""

    def frames(self, cpu: StillCpu) -> Sequence[Frame]:
        found, record = [TABLE.frame(cpu.pc, returns=False)], cpu.registers()["x29"]
        while record:
            record, address = struct.unpack("<QQ", cpu.read_memory(record, 16))
            found.append(TABLE.frame(address, returns=True))
        return found


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examining, "kept", lambda _: None)
    monkeypatch.setattr(examining, "symbols", lambda *_: TABLE)
    monkeypatch.setattr(examining, "unwinder", lambda *_: Linked())
    monkeypatch.setattr(examining, "_BETWEEN", 0.0)


def of(guest: Any, death: Death, look: Callable[..., str] = lambda *_: "") -> PostMortem:
    return examine(guest, death, look)


def test_a_panic_has_its_cause_and_what_every_cpu_did() -> None:
    guest = Guest([[PANIC + 8, DIE + 8, CAUSE + 0x10], [LOOP + 8]], status="shutdown")
    found = of(guest, Death.CRASH)
    assert found.sentence == "CPU 0 panics in sysrq_handle_crash; CPU 1 in loop"
    assert found.cpus[0].frames[2] == f"{CAUSE + 0x10:#018x} sysrq_handle_crash+0x10"
    assert found.cpus[0].registers["x30"] == "0x0" and found.cpus[0].registers["cpsr"] == "0x800000c5"
    assert "cont" not in guest.done, "what died stays as it is"


def test_a_cpu_that_does_not_leave_a_function_spins_in_it() -> None:
    looks = [[[place, OTHER + 8], [IDLE + 4]] for place in (LOOP + 4, LOOP + 8, LOOP + 16)]
    guest = Guest(looks[0], *looks)
    found = of(guest, Death.HANG)
    assert found.sentence == "CPU 0 spins in loop; CPU 1 idle"
    assert guest.done.count("stop") == guest.done.count("cont") == 4, "three looks, and one whether anything moves"


def test_a_loop_over_several_functions_is_told_by_the_one_they_have_in_common() -> None:
    looks = [[[place, OTHER + 8]] for place in (LOOP + 4, DIE + 8, CAUSE + 16)]
    assert of(Guest(looks[0], *looks), Death.HANG).cpus[0].place == (
        "spins in other, seen in loop, die, sysrq_handle_crash"
    )


def test_a_cpu_that_does_not_move_hangs() -> None:
    assert of(Guest([[LOOP + 4]]), Death.HANG).cpus[0].place == f"hangs in loop, at {LOOP + 4:#x}"


def test_a_program_of_the_user_that_takes_all_is_told() -> None:
    assert of(Guest([[USER]]), Death.HANG).sentence == "CPU 0 spins in user space"


def test_an_idle_guest_needs_no_symbols(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examining, "symbols", lambda *_: pytest.fail("they are looked up"))
    found = of(Guest([[IDLE + 4], [IDLE + 4]]), Death.HANG)
    assert found.sentence == "CPU 0 idle; CPU 1 idle"
    assert found.notes == ("names of functions: not looked up, since no CPU executes anything",)


def test_a_guest_that_is_paused_is_not_taken_for_one_that_hangs() -> None:
    guest = Guest([[LOOP + 4]], status="paused")
    assert of(guest, Death.HANG).sentence.startswith("the guest does not run, since QEMU's state is paused: CPU 0 busy")
    assert guest.done == ["query-status"], "it stays paused"


def test_without_symbols_addresses_and_registers_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> SymbolTable:
        raise BenchError("no other machine starts")

    monkeypatch.setattr(examining, "symbols", refuse)
    found = of(Guest([[LOOP + 4]], status="shutdown"), Death.CRASH)
    assert found.cpus[0].frames == (f"{LOOP + 4:#018x} ??",)
    assert found.notes == ("names of functions: not known: no other machine starts",)


def test_a_program_under_way_is_told_of_its_cpu_and_what_prevents_it() -> None:
    guest = Guest([[LOOP + 4], [IDLE + 4]], status="shutdown")
    found = of(guest, Death.CRASH, lambda cpu, frames, table: f"program on {cpu.number}" if cpu.number == 0 else "")
    assert [cpu.program for cpu in found.cpus] == ["program on 0", ""]

    def fail(*_: object) -> str:
        raise BenchError("no memory")

    assert of(guest, Death.CRASH, fail).notes == ("programs under way: not known: no memory",)


def test_qemu_that_dies_meanwhile_is_an_error() -> None:
    guest = Guest([[LOOP + 4]])

    def gone(_: str) -> str:
        raise MonitorFailed("QMP: EOF")

    guest.human = gone  # type: ignore[method-assign]
    with pytest.raises(MonitorFailed):
        of(guest, Death.HANG)
