# SPDX-License-Identifier: MIT
"""Looking at a program about to run, on real guests of both architectures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.compare import Verdict
from harness.core_scripts import core_scripts
from harness.debug.debuggee import booted
from harness.debug.looking import NeverReached, Snapshot, look
from harness.lane import Engine, Lane
from harness.script.triggers import UNKNOWN_PRCTL
from harness.session import prepare
from hil.arch import architecture
from hil.gdb.errors import GdbGone, UnknownSymbol
from hil.gdb.registers import REGISTERS
from hil.kernels import store

pytestmark = pytest.mark.guest

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


@pytest.mark.parametrize("arch", CHAINS)
def test_break_look_go_on(arch: str, tmp_path: Path) -> None:
    bootable = prepare("debian-12", arch)
    kernel = bootable.kernel
    script = next(script for script in core_scripts(arch, kernel.era) if script.name == "counting")
    seen: list[Snapshot] = []
    with booted(Lane("debian-12", arch, Engine.JIT), bootable, tmp_path) as debuggee:
        with pytest.raises(UnknownSymbol):
            look(debuggee, script, "no_such_function", seen.append)
        with pytest.raises(NeverReached):
            look(debuggee, script, "proc_pid_stack", seen.append)
        result = debuggee.judge(look(debuggee, script, "trace_call_bpf", seen.append))
        assert result.verdict is Verdict.AGREE, result.reason

        # gdb dies while the guest stands still: an error, and the machine ends all the same.
        def kill(_: Snapshot) -> None:
            raise GdbGone("as if gdb had died")

        with pytest.raises(GdbGone):
            look(debuggee, script, "trace_call_bpf", kill)
    (sight,) = seen
    assert sight.stop.function == "trace_call_bpf"
    assert sight.registers[REGISTERS[arch].arguments[1]] == sight.arguments["ctx"]
    assert sight.context is not None
    assert sight.context.address == sight.arguments["ctx"]
    assert (sight.context.probed.function, sight.context.probed.offset) == ("cap_task_prctl", 0)
    assert sight.context.arguments[0] & 0xFFFF_FFFF == UNKNOWN_PRCTL
    names = [frame.function for frame in sight.backtrace]
    assert [name for name in names if name in CHAINS[arch]] == CHAINS[arch]
    assert None not in names


def test_gdb_of_the_user_on_the_terminal(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hil", "debug", "debian-12/x86_64", "--interactive", "--output", str(tmp_path)]
    typed = "continue\nbacktrace 1\ndetach\nquit\n"
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "running: gdb-multiarch -nx -q" in done.stdout
    assert "in trace_call_bpf ()" in done.stdout
    assert done.stdout.rstrip().endswith("debian-12/x86_64/interp counting: agree")


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
