# SPDX-License-Identifier: MIT
"""gdb on real guests: stop, inspect, continue; and the death of gdb or QEMU."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from hil import guestroot
from hil.arch import architecture
from hil.gdb.errors import GdbGone, TargetGone
from hil.gdb.registers import REGISTERS
from hil.gdb.session import GdbSession
from hil.gdb.symbols import symbol_file
from hil.gdb.table import SymbolTable
from hil.gdb.unwind.choice import unwinder
from hil.kernels import store
from hil.machine import Machine, MachineSpec
from hil.machine.spec import NO_KASLR

pytestmark = pytest.mark.guest

# A function that runs when /proc/uptime is read; in every kernel, fs/proc/uptime.c.
FUNCTION = "uptime_proc_show"
TRIGGER = ("sh", "-c", "read line < /proc/uptime")
CALLERS = {
    "x86_64": ["seq_read_iter", "vfs_read", "ksys_read", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"],
    "arm64": ["seq_read_iter", "vfs_read", "ksys_read", "invoke_syscall", "el0t_64_sync"],
}


@pytest.fixture(scope="module", params=["x86_64", "arm64"])
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with boot(request.param, tmp_path_factory.mktemp("machine")) as machine:
        yield machine


def boot(arch: str, folder: Path) -> Machine:
    kernel = store.get("debian-12", architecture(arch))
    return Machine(MachineSpec(kernel, guestroot.build(kernel), folder, append=(NO_KASLR,)))


def names_in_order(wanted: list[str], names: list[str | None]) -> bool:
    rest = iter(names)
    return all(any(name == wish for name in rest) for wish in wanted)


def test_stop_look_and_go_on(machine: Machine) -> None:
    symbols = symbol_file(machine.spec.kernel, machine)
    table = SymbolTable.of_elf(symbols)
    with ThreadPoolExecutor(1) as pool:
        with GdbSession(machine, symbols) as gdb:
            breakpoint = gdb.break_at(FUNCTION)
            assert breakpoint.address == table.address(FUNCTION)
            gdb.continue_()
            answer = pool.submit(machine.run, TRIGGER, timeout=300)
            stop = gdb.wait_for_stop()
            assert (stop.reason, stop.function, stop.pc) == ("breakpoint-hit", FUNCTION, breakpoint.address)
            registers = gdb.registers()
            assert tuple(registers) == REGISTERS[machine.arch.name].general
            assert registers[REGISTERS[machine.arch.name].pc] == breakpoint.address
            assert int(gdb.evaluate("(unsigned long)$pc")) == breakpoint.address
            banner = gdb.read_memory(table.address("linux_proc_banner") or breakpoint.address, 16)
            assert len(banner) == 16
            frames = list(unwinder(machine.spec.kernel, table).frames(gdb))
            names = [frame.function for frame in frames]
            assert names[0] == FUNCTION
            assert names_in_order(CALLERS[machine.arch.name], names), names
            assert names[-1] == CALLERS[machine.arch.name][-1]
            assert gdb.backtrace()[0].function == FUNCTION
            assert not answer.done()
        assert answer.result(300).status == 0
    assert machine.run(TRIGGER).status == 0, "the breakpoint is still there"


def test_interrupt_a_running_guest(machine: Machine) -> None:
    with GdbSession(machine, symbol_file(machine.spec.kernel, machine)) as gdb:
        gdb.continue_()
        gdb.interrupt()
        assert gdb.wait_for_stop().reason == "signal-received"
        gdb.continue_()
        assert machine.run(["uname"]).stdout == b"Linux\n"
        # Detaching from a running guest leaves it running.
        gdb.detach()
    assert machine.run(["uname"]).stdout == b"Linux\n"


def test_gdb_that_is_killed_is_noticed_and_can_be_replaced(machine: Machine) -> None:
    symbols = symbol_file(machine.spec.kernel, machine)
    with GdbSession(machine, symbols) as gdb:
        psutil.Process(gdb.pid).kill()
        with pytest.raises(GdbGone, match="killed by signal 9"):
            gdb.registers()
    with GdbSession(machine, symbols) as gdb:
        assert gdb.registers()
    assert machine.run(["uname"]).stdout == b"Linux\n"


@pytest.mark.parametrize("running", [False, True])
def test_qemu_that_is_killed_is_noticed(tmp_path: Path, running: bool) -> None:
    with boot("x86_64", tmp_path) as machine:
        symbols = symbol_file(machine.spec.kernel, machine)
        with GdbSession(machine, symbols) as gdb:
            pid, text = gdb.pid, int(gdb.evaluate(f"(unsigned long)&{FUNCTION}"))
            if running:
                gdb.continue_()
            psutil.Process(machine.pid).send_signal(signal.SIGKILL)
            started = time.monotonic()
            with pytest.raises(TargetGone, match="QEMU was killed by SIGKILL") as caught:
                gdb.wait_for_stop() if running else gdb.read_memory(text, 8)
            assert time.monotonic() - started < 60, "it was the deadline that ended the wait"
            assert "gdb's last output" in caught.value.details
            with pytest.raises(TargetGone):
                gdb.registers()  # although gdb remembers them
        assert not psutil.pid_exists(pid)
