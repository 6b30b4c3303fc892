# SPDX-License-Identifier: MIT
"""Sessions with a script instead of gdb, which speaks enough GDB/MI and misbehaves as a test says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from hil.arch import Architecture, architecture
from hil.errors import BenchError
from hil.gdb.command import interactive_command, require_python
from hil.gdb.errors import GdbGone, GdbRefused, GdbSilent, TargetGone, UnknownSymbol
from hil.gdb.session import GdbSession, Stop

# Its answers by the beginning of a command; "{t}" is the command's token. The longest beginning is used.
FAKE = """\
#!{python}
import sys, time
ANSWERS = {answers!r}
print("(gdb) ", flush=True)
for line in sys.stdin:
    digits = len(line) - len(line.lstrip("0123456789"))
    token, command = line[:digits], line[digits:].strip()
    for start in sorted(ANSWERS, key=len, reverse=True):
        if command.startswith(start):
            answer = ANSWERS[start]
            if answer == "die":
                print("~\\"internal-error: out of ideas\\"", flush=True)
                sys.exit(3)
            if answer:
                print(answer.format(t=token), flush=True)
            break
time.sleep(120)  # the end of its input is no reason for this one to end
"""
OBEDIENT = {
    "-": "{t}^done",
    "-target-select": "{t}^connected",
    "-exec-continue": '{t}^running\n*running,thread-id="all"',
    "-gdb-exit": "die",
}


class Stub:
    """The part of a machine that gdb needs."""

    arch: Architecture = architecture("x86_64")
    gdb_socket = Path("/nowhere/gdb")

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []
        self.reason: str | None = None

    def lost_reason(self) -> str | None:
        return self.reason

    def on_loss(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def die(self, reason: str) -> None:
        self.reason = reason
        for callback in self.callbacks:
            callback()


Begin = Callable[..., GdbSession]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Begin:
    """A function that begins a session with a gdb that answers as in OBEDIENT, with changes."""

    def start(stub: Stub | None = None, changes: dict[str, str] | None = None) -> GdbSession:
        program = tmp_path / "gdb-multiarch"
        program.write_text(FAKE.format(python=sys.executable, answers={**OBEDIENT, **(changes or {})}))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return GdbSession(stub or Stub(), tmp_path / "symbols.elf")

    return start


def test_missing_gdb_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchError, match="apt-get install gdb-multiarch"):
        GdbSession(Stub(), tmp_path / "symbols.elf")


def test_a_breakpoint_and_a_stop(begin: Begin) -> None:
    bkpt = 'bkpt={{number="2",addr="0xffffffff81000000"}}'
    frame = 'frame={{addr="0xffffffff81000000",func="schedule",args=[]}}'
    answers = {
        "-break-insert": f"{{t}}^done,{bkpt}",
        "-exec-continue": f'{{t}}^running\n*running\n*stopped,reason="breakpoint-hit",bkptno="2",{frame}',
    }
    with begin(changes=answers) as session:
        breakpoint = session.break_at("schedule")
        assert (breakpoint.number, breakpoint.address) == ("2", 0xFFFF_FFFF_8100_0000)
        session.continue_()
        assert session.wait_for_stop() == Stop("breakpoint-hit", 0xFFFF_FFFF_8100_0000, "schedule", "2")


def test_an_interrupt_right_after_continue_is_not_lost(begin: Begin) -> None:
    answers = {
        "-exec-continue": "{t}^running",  # `*running` is still on its way
        "-exec-interrupt": '{t}^done\n*stopped,reason="signal-received"',
    }
    with begin(changes=answers) as session:
        session.continue_()
        session.interrupt()
        assert session.wait_for_stop().reason == "signal-received"


def test_a_command_for_people_names_symbols_in_any_folder(begin: Begin, tmp_path: Path) -> None:
    begin().close()  # puts a gdb on PATH
    words = interactive_command(Stub.arch, Stub.gdb_socket, [tmp_path / "my cache" / 'v"x'])
    assert f'symbol-file "{tmp_path}/my cache/v\\"x"' in words


def test_an_unknown_symbol_is_the_users_mistake(begin: Begin) -> None:
    answer = '{t}^error,msg="No symbol \\"x\\" in current context."'
    with begin(changes={"-break-insert": answer}) as session, pytest.raises(UnknownSymbol, match="'x'"):
        session.break_at("x")


def test_an_error_of_gdb_has_its_last_output(begin: Begin) -> None:
    answers = {"-data-read": '{t}^error,msg="Unable to read memory."'}
    with begin(changes=answers) as session, pytest.raises(GdbRefused, match="Unable to read memory") as caught:
        session.read_memory(0x10, 4)
    assert '^error,msg="Unable to read memory."' in caught.value.details


def test_gdb_that_dies_ends_the_wait(begin: Begin) -> None:
    with begin(changes={"-data-evaluate": "die"}) as session:
        with pytest.raises(GdbGone, match="ended with status 3") as caught:
            session.evaluate("1")
        assert "out of ideas" in caught.value.details
        with pytest.raises(GdbGone):
            session.wait_for_stop()


def test_gdb_that_is_killed_ends_the_wait(begin: Begin) -> None:
    with begin() as session:
        session.continue_()
        psutil.Process(session.pid).kill()
        with pytest.raises(GdbGone, match="killed by signal 9"):
            session.wait_for_stop()


def test_silence_ends_at_the_deadline(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    with begin(changes={"-data-evaluate": ""}) as session:
        monkeypatch.setenv("HIL_TIME_SCALE", "0.01")
        with pytest.raises(GdbSilent, match=r"waiting for gdb to answer.*timed out"):
            session.evaluate("1")


def test_a_machine_that_dies_ends_the_wait_with_its_reason(begin: Begin) -> None:
    stub = Stub()
    with begin(stub) as session:
        session.continue_()
        stub.die("QEMU was killed by SIGKILL")
        with pytest.raises(TargetGone, match="waiting for the guest to stop: QEMU was killed by SIGKILL"):
            session.wait_for_stop()


def test_nothing_runs_on_after_a_failed_beginning(begin: Begin) -> None:
    before = set(psutil.Process().children())  # such as a machine that tests share
    with pytest.raises(GdbRefused, match="cannot connect"):
        begin(changes={"-target-select": '{t}^error,msg="cannot connect"'})
    left = set(psutil.Process().children()) - before
    assert not [child for child in left if child.status() != psutil.STATUS_ZOMBIE]


def test_gdb_does_not_outlive_a_bench_that_is_killed(begin: Begin, tmp_path: Path) -> None:
    begin().close()  # writes the program
    bench = (
        "from pathlib import Path; import os, time; from tests.hil.gdb.test_session import Stub; "
        f"from hil.gdb.session import GdbSession; gdb = GdbSession(Stub(), Path({str(tmp_path)!r})); "
        "print(gdb.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", bench], stdout=subprocess.PIPE, text=True) as popen:
        assert popen.stdout is not None
        gdb = psutil.Process(int(popen.stdout.readline()))
        popen.kill()
    gone, alive = psutil.wait_procs([gdb], timeout=30)
    assert gone and not alive


def test_gdb_that_will_not_quit_is_killed(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    session = begin(changes={"-gdb-exit": ""})
    monkeypatch.setenv("HIL_TIME_SCALE", "0.1")
    process = psutil.Process(session.pid)
    session.close()
    session.close()
    assert not process.is_running()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("print('Python scripting is not supported in this copy of GDB.', file=sys.stderr)", "has no Python"),
        ("print('hil: False')", "has no Python, or one before 3.11"),
    ],
)
def test_a_gdb_that_cannot_load_commands_is_told(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "gdb-multiarch"
    program.write_text(f"#!{sys.executable}\nimport sys\n{text}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(BenchError, match=said):
        require_python()
    program.write_text(f"#!{sys.executable}\nprint('hil: True')\n")
    require_python()


def test_what_gdb_prints_for_a_command_of_the_console(begin: Begin) -> None:
    answers = {"-interpreter-exec": '~"one \\"line\\"\\n"\n~"two\\n"\n{t}^done'}
    with begin(changes=answers) as session:
        assert session.execute("info symbol 0") == 'one "line"\ntwo\n'
        assert session.execute("info symbol 0") == 'one "line"\ntwo\n', "what was said before is not said again"


def test_the_first_file_is_the_kernels_and_others_are_added(begin: Begin, tmp_path: Path) -> None:
    begin().close()
    words = interactive_command(Stub.arch, Stub.gdb_socket, [tmp_path / "vmlinux", tmp_path / "modules.elf"])
    first = words.index(f'symbol-file "{tmp_path}/vmlinux"')
    assert words[first + 2] == f'add-symbol-file "{tmp_path}/modules.elf"'


def test_lines_and_variables_of_debug_information(begin: Begin) -> None:
    line = r'~"Line 103 of \"kernel/trace/bpf_trace.c\" starts at address 0xff and ends at 0xffff.\\n"'
    values = (
        'variables=[{{name="call",arg="1",type="int *",value="0x10"}},'
        '{{name="lost",type="int",value="<optimized out>"}},{{name="node",type="struct list_head"}}]'
    )
    answers = {
        '-interpreter-exec console "info line *0xff"': f"{line}\n{{t}}^done",
        "-stack-list-variables": f"{{t}}^done,{values}",
    }
    with begin(changes=answers) as session:
        assert session.source_line(0xFF) == "kernel/trace/bpf_trace.c:103"
        assert session.source_line(0x10) == ""
        assert session.variables(1) == {"call": "0x10"}
