# SPDX-License-Identifier: MIT
"""Debugging on real guests of both architectures, one boot each: a stop where a program is about to run, the commands
for BPF in a real gdb (a golden text a command), the sessions of tests, and what happens when somebody dies.

`HIL_WRITE_GOLDEN=1` writes the golden texts anew.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from threading import Event

import psutil
import pytest

from harness.abi.pt_regs import PtRegs
from harness.compare import Verdict
from harness.core_scripts import core_scripts
from harness.debug.bpf_session import Debugger, UnexpectedReturn
from harness.debug.debuggee import Debuggee, booted
from harness.debug.hooks import hook
from harness.debug.interactive import ENDED, serve
from harness.debug.looking import HIT, NeverReached, Snapshot, look
from harness.debug.subject import Subject
from harness.isa.assemble import DW, R0, R1, R2, R3, R4, R5, R7, R8, R9, R10, ld_map, mov64_imm, stx, xadd
from harness.lane import Engine, Lane
from harness.lockstep.recording import LockstepLane
from harness.lockstep.taken import read
from harness.named import named
from harness.script.needs import Need
from harness.script.operations import CreateMap, MapType, Ref, Script, UpdateElement
from harness.script.triggers import UNKNOWN_PRCTL
from harness.session import choose_engine, prepare
from harness.testing import array, count_hits, element, expect, on_our_prctl, op, prctl, probed, u32, u64
from hil.arch import architecture
from hil.errors import MachineLost
from hil.gdb.errors import GdbGone, GdbRefused, UnknownSymbol
from hil.gdb.registers import REGISTERS
from hil.kernels import store
from tests.harness.debug.terminal import ran
from tests.harness.debug.typed import Typed

pytestmark = pytest.mark.guest

HOOK = "trace_call_bpf"
GOLDEN = Path(__file__).with_name("golden")
EXAMPLE = Path(__file__).parents[3] / "docs/examples/test_debugger.py"

# From the probe's program up to the system call, with the probed function in between; both as 6.1 has them.
CHAINS = {
    "x86_64": [
        *("trace_call_bpf", "kprobe_perf_func", "kprobe_ftrace_handler", "ftrace_regs_call", "cap_task_prctl"),
        *("security_task_prctl", "__do_sys_prctl", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"),
    ],
    "arm64": [
        *("trace_call_bpf", "kprobe_perf_func", "kprobe_dispatcher", "kprobe_breakpoint_handler", "el1h_64_sync"),
        *("cap_task_prctl", "security_task_prctl", "__arm64_sys_prctl", "el0t_64_sync"),
    ],
}
COMMANDS = (
    *("bpf info", "bpf regs", "bpf back", "bpf nothing", "help bpf until", "continue", "ctx", "bpf stack", "bpf info "),
    *("bpf step", "bpf step 3", "bpf until 13", "bpf regs ", "bpf model", "bpf state", "bpf stack ", "bpf disas"),
    *("bpf back ", "bpf back 99"),
    *("backtrace", "bpf until 24", "bpf map values", "bpf step 2", "bpf map values 2", "bpf map keys", "bpf back 8"),
    *("bpf map keys 7", "bpf map nothing", "bpf map values zz", "bpf until 20", "bpf until 40", "bpf break other 1"),
    *("bpf step 9", "bpf until 23", "bpf disas ", "info breakpoints"),
)
"""A blank behind a command tells it from the same one earlier."""
NOT_GOLDEN = ("ctx", "backtrace", "info breakpoints", "continue")


def looked_at(registers: PtRegs) -> Script:
    """Returns a script whose program has maps of two kinds, and in every register a number that is the same in each
    boot."""
    body = (
        *(mov64_imm(number, 0x100 + number) for number in (R2, R3, R4, R5, R7, R8, R9)),
        stx(DW, R10, -8, R9),
        ld_map(R1, "keys"),
        *element("values", 2),
        mov64_imm(R1, 5),
        xadd(DW, R0, 0, R1),
        mov64_imm(R0, 1),
    )
    operations = (
        array("values", entries=4),
        CreateMap("keys", MapType.HASH, 8, 8, 16),
        UpdateElement(Ref("values"), u32(3), u64(0x33)),
        UpdateElement(Ref("keys"), u64(7), u64(0x70)),
        *probed(on_our_prctl(registers, *body)),
        prctl(),
    )
    return Script("looked-at", "every command has something to show", operations, needs=frozenset({Need.KPROBES}))


@pytest.fixture(scope="module", params=CHAINS)
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debuggee]:
    lane = Lane("debian-12", request.param, Engine.JIT)
    folder = tmp_path_factory.mktemp("machine")
    with booted(lane, prepare(lane.kernel, lane.arch), folder, recorded=True) as ready:
        yield ready


def with_engine(ready: Debuggee, engine: Engine) -> Debuggee:
    choose_engine(ready.session, engine)
    lane = replace(ready.lane, engine=engine)
    assert ready.recording is not None
    return replace(ready, lane=lane, recording=LockstepLane(lane, ready.session, ready.recording.recorder, ready.table))


def names_of(backtrace: str) -> list[str]:
    return [line.partition(" in ")[2].split()[0] for line in backtrace.splitlines() if " in " in line]


def test_break_look_go_on(machine: Debuggee) -> None:
    arch = machine.lane.arch
    debuggee = with_engine(machine, Engine.JIT)
    script = next(script for script in core_scripts(arch, debuggee.kernel.era) if script.name == "counting")
    seen: list[Snapshot] = []
    with pytest.raises(UnknownSymbol):
        look(debuggee, script, "no_such_function", seen.append)
    with pytest.raises(NeverReached):
        look(debuggee, script, "proc_pid_stack", seen.append)
    result = debuggee.judge(look(debuggee, script, HOOK, seen.append))
    assert result.verdict is Verdict.AGREE, result.reason
    (sight,) = seen
    assert sight.stop.function == HOOK
    assert sight.registers[REGISTERS[arch].arguments[1]] == sight.arguments["ctx"]
    assert sight.context is not None
    assert sight.context.address == sight.arguments["ctx"]
    assert (sight.context.probed.function, sight.context.probed.offset) == ("cap_task_prctl", 0)
    assert sight.context.arguments[0] & 0xFFFF_FFFF == UNKNOWN_PRCTL
    names = [frame.function for frame in sight.backtrace]
    assert [name for name in names if name in CHAINS[arch]] == CHAINS[arch]
    assert None not in names


@pytest.mark.parametrize("engine", Engine)
def test_every_command_of_gdb(machine: Debuggee, engine: Engine, tmp_path: Path) -> None:
    debuggee = with_engine(machine, engine)
    arch = debuggee.lane.arch
    said, result = ran(debuggee, looked_at(debuggee.environment.registers), HOOK, COMMANDS, tmp_path)
    assert result.verdict is Verdict.AGREE, result.reason
    assert [*said] == [*COMMANDS], said
    golden = GOLDEN / f"{arch}-{engine}.txt"
    text = "".join(f"(gdb) {name.rstrip()}\n{said[name]}\n" for name in COMMANDS if name not in NOT_GOLDEN)
    if os.environ.get("HIL_WRITE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()
    assert f"in {HOOK} ()" in said["continue"]
    assert "probed is cap_task_prctl\n" in said["ctx"] and f"={UNKNOWN_PRCTL:#x}, " in said["ctx"]
    # gdb's own command, by the unwinder of the project: through the program, up to the system call, and no further.
    names = names_of(said["backtrace"])
    assert [name for name in names if name in CHAINS[arch]] == CHAINS[arch], said["backtrace"]
    assert "Backtrace limit" not in said["backtrace"] and "corrupt" not in said["backtrace"]


@pytest.mark.parametrize("engine", Engine)
def test_steps_into_a_function_and_out_of_it_at_the_packets_end(
    machine: Debuggee, engine: Engine, tmp_path: Path
) -> None:
    """The kernel has functions as programs of their own, and instructions that exist only inside."""
    debuggee = with_engine(machine, engine)
    kernel = debuggee.kernel
    script = named("FUNC-12.compared", debuggee.lane.arch, kernel.era)[1]
    where = hook(kernel.era, script, lambda name: debuggee.table.address(name) is not None).symbol
    commands = ["continue", *(f"bpf step{' ' * number}" for number in range(8)), "bpf back 3"]
    said, result = ran(debuggee, script, where, commands, tmp_path)
    assert result.verdict is Verdict.AGREE, result.reason
    at = [re.match(r"filter: (\d+): ", said[command]) for command in commands[1:8]]
    assert [int(one[1]) for one in at if one] == [0, 1, 7, 8, 2, 3, 4], said
    assert "the program has ended" in said[commands[8]]
    assert "run 1, before step 4 of 0 to 6" in said["bpf back 3"]


@pytest.mark.parametrize("engine", Engine)
def test_a_session_for_tests(machine: Debuggee, engine: Engine, tmp_path: Path) -> None:
    debugger = Debugger(with_engine(machine, engine), tmp_path)
    program = on_our_prctl(debugger.registers, count_hits())
    again = expect(op.Attach(Ref("event"), Ref("program")), "EEXIST")
    with debugger.run(array("hits"), *probed(program), again, prctl()) as session:
        assert session.expect_call("perf_event_attach_bpf_prog") == 0
        session.break_at_bpf(5, "program")
        session.expect_call("perf_event_attach_bpf_prog", returns=-17)
        with pytest.raises(GdbRefused, match="in none of the script's programs"):
            session.at_bpf()
        session.run_to_stop()
        assert (session.at_bpf().program, session.at_bpf().instruction) == ("program", 5)
        assert session.bpf_registers()["R0"] == UNKNOWN_PRCTL
        session.step_bpf(2)
        assert session.at_bpf().instruction == 7
        with pytest.raises(NeverReached, match="ended before the guest stopped"):
            session.expect_call("perf_event_attach_bpf_prog", returns=0)
    assert debugger.result is not None and debugger.result.verdict is Verdict.AGREE
    begun = debugger.run(array("hits"), *probed(program), prctl())
    with pytest.raises(UnexpectedReturn, match="returned 0, not -17"), begun as session:
        session.expect_call("perf_event_attach_bpf_prog", returns=-17)
    assert debugger.debuggee.machine.run(["true"]).status == 0, "the guest stands still"


def test_the_example_of_the_page(machine: Debuggee, tmp_path: Path) -> None:
    debugger = Debugger(with_engine(machine, Engine.JIT), tmp_path)
    run_path(str(EXAMPLE))["test_where_a_second_attach_is_refused"](debugger)
    assert debugger.result is not None and debugger.result.verdict is Verdict.AGREE


def test_a_gdb_from_elsewhere_connects_by_what_is_printed(machine: Debuggee, tmp_path: Path) -> None:
    debuggee = with_engine(machine, Engine.INTERP)
    script = looked_at(debuggee.environment.registers)
    told: list[str] = []
    ready = Event()

    def notify(line: str) -> None:
        told.append(line)
        if line.startswith("waiting"):
            ready.set()

    # A breakpoint as an IDE sets it, by name and in software; the agent calls that function as well.
    looking = ("break security_task_prctl", "continue", "print/x $pc", "delete 2", "continue", "bpf step", "bpf regs")
    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve, debuggee, Subject(script), HOOK, tmp_path, notify)
        served.add_done_callback(lambda _: ready.set())  # it has failed
        assert ready.wait(HIT.seconds) and told, served.exception(0)
        commands = [line.strip() for line in told if line.startswith("  ")]
        words = [word for one in (*commands, *looking, "detach") for word in ("-ex", one)]
        done = subprocess.run(
            ["gdb-multiarch", "-nx", "-q", "-batch", *words], capture_output=True, text=True, timeout=HIT.seconds
        )
        result = debuggee.judge(served.result(HIT.seconds))
    assert result.verdict is Verdict.AGREE, result.reason
    host, port = re.findall(r"gdb server: host (\S+), port (\d+)$", told[0])[0]
    assert told[1:3] == [f"architecture: {debuggee.machine.arch.gdb_architecture}", f"symbol file: {debuggee.symbols}"]
    assert f"target remote {host}:{port}" in commands
    assert "Breakpoint 2, " in done.stdout and " in security_task_prctl ()" in done.stdout, done.stderr
    assert re.search(r"^\$1 = 0xffff[0-9a-f]{12}$", done.stdout, re.MULTILINE)
    assert f" in {HOOK} ()" in done.stdout
    assert "\nprogram: 0: (bf) r6 = r1\nR0 " in done.stdout, done.stderr
    # Nobody listens there any more, and the guest goes on.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), HIT.seconds).close()
    debuggee.session.executor.settle()


def test_a_gdb_that_is_killed_is_no_end(machine: Debuggee, tmp_path: Path) -> None:
    debuggee = with_engine(machine, Engine.JIT)
    script = looked_at(debuggee.environment.registers)
    # Behind the last run the guest has nothing to stop at but the end of the program.
    commands = ["continue", "bpf step", "bpf back", "bpf step 99", "bpf step 1", "shell kill -9 $PPID", "bpf info"]
    said, result = ran(replace(debuggee, recording=None), script, HOOK, commands, tmp_path)
    assert said["bpf back"].startswith("nothing is recorded in this session; begin it with --record: hil debug LANE ")
    assert said["bpf step 99"].startswith("the program has ended, R0 was 0x1")
    assert said["bpf step 1"].startswith("program: unloaded by now; stop the guest earlier")
    assert "bpf info" not in said
    assert result.verdict is Verdict.AGREE

    # The same in a session of a program: an error, and the guest goes on.
    def kill(_: Snapshot) -> None:
        raise GdbGone("as if gdb had died")

    with pytest.raises(GdbGone):
        look(debuggee, script, HOOK, kill)
    debuggee.session.executor.settle()  # nothing of the script is under way


def test_a_machine_that_dies_while_it_is_stopped_is_told(machine: Debuggee, tmp_path: Path) -> None:
    """The last test on the machine, which it ends."""
    debuggee = with_engine(machine, Engine.JIT)
    commands = ["continue", f"shell kill -9 {debuggee.machine.pid}", "bpf step", "bpf info"]
    with pytest.raises(MachineLost, match="ended while it was debugged"):
        ran(debuggee, looked_at(debuggee.environment.registers), HOOK, commands, tmp_path)


def wait_until_it_runs(typed: Typed) -> None:
    """Waits until the guest has run, by QEMU's processor time. gdb says that it continues, and then sets breakpoints;
    QEMU ignores a Ctrl-C that comes before the guest runs, and gdb takes another one for the wish to disconnect."""
    (qemu,) = (psutil.Process(pid) for pid, name in typed.descendants().items() if name.startswith("qemu"))
    before = sum(qemu.cpu_times()[:2])  # of user and system
    deadline = time.monotonic() + 60
    while sum(qemu.cpu_times()[:2]) < before + 0.1:
        assert time.monotonic() < deadline, "the guest stands still"
        time.sleep(0.02)


def test_gdb_of_the_user_on_the_terminal(tmp_path: Path) -> None:
    own = tmp_path / "gdbinit"
    own.write_text("echo these are mine\\n\nset prompt >>>\n")
    record = tmp_path / "record"
    command = [sys.executable, "-m", "hil", "debug", "debian-12/x86_64", "--interactive", "--gdbinit", str(own)]
    command += ["--record", str(record)]
    with Typed([*command, "--output", str(tmp_path / "run")], prompt=">>>", patience=300) as typed:
        begun = typed.answer()
        assert "running: gdb-multiarch -nx -q" in begun and "these are mine" in begun
        assert "in trace_call_bpf ()" in typed.answer("continue")
        assert "program: 1: (61) r0 = " in typed.answer("bpf step 2")
        assert "run 1, before step 0 of 0 to 0\n>    0: (bf) r6 = r1\n" in typed.answer("bpf back")
        typed.answer("delete")
        # Nothing stops the script any more: gdb comes back by itself.
        ended = typed.answer("continue")
        assert ENDED in ended and "Continuing." in ended
        # Ctrl-C is for gdb alone: the guest, which has nothing to do any more, stops, and the session goes on.
        typed.write("continue\n")
        typed.seen("Continuing.")
        wait_until_it_runs(typed)
        typed.interrupt()
        typed.write("info registers rip\n")
        typed.seen("rip  ")
        typed.seen(">>>")
        others = typed.descendants()
        assert {"gdb-multiarch", "qemu-system-x86"} <= set(others.values())
        typed.write("quit\n")
        assert typed.ended() == 0
    assert typed.text.rstrip().endswith("debian-12/x86_64/interp counting: agree")
    assert not [pid for pid in others if Path("/proc", str(pid)).exists()]
    assert [len(run) for run in read(record).runs] == [14] * 100


@pytest.mark.parametrize("lane", ["linux-4.1/arm64/interp", "debian-12/x86_64/jit"])
def test_a_socket_filter_is_met_in_the_call_that_sends_its_packet(lane: str, tmp_path: Path) -> None:
    """Also where there are no kprobes, without a word about a script."""
    if store.find("linux-4.1", architecture("arm64")) is None:
        pytest.skip("linux-4.1/arm64 is not in the cache")
    command = [sys.executable, "-m", "hil", "debug", lane, "--output", str(tmp_path)]
    named = [] if lane.startswith("linux-4.1/arm64") else ["--script", "socket-filter"]
    done = subprocess.run([*command, *named], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "stopped: unix_dgram_sendmsg(sock=" in done.stdout
    assert f"{lane} socket-filter: agree" in done.stdout
