# SPDX-License-Identifier: MIT
"""What `hil debug` says to requests it cannot meet; nothing boots."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from harness.debug import commands, in_lockstep
from harness.debug.choosing import one_lane, usual
from harness.debug.hooks import KPROBE_HOOKS, arguments_of, hook
from harness.debug.subject import subject
from harness.isa.assemble import R0, exit_, mov64_imm
from harness.kernel_bugs.bugs import bugs
from harness.lane import Engine, Lane
from harness.lockstep.checking import EMPTY, NOTHING, REFUSED
from harness.lockstep.findings import MODEL, Examined
from harness.script.operations import OpenEvent, RunThreads, Script, Thread
from hil.errors import UserError
from hil.kernels import catalogue
from tests.fakes import fake_kernel
from tests.harness.bisect.test_forms import an_object
from tests.harness.objects.building import section
from tests.harness.programs.elf import FUNC, Section, Symbol, object_file

KERNEL = fake_kernel("debian-12", "x86_64")
BODY = (mov64_imm(R0, 1), exit_())
COUNTING, FILTER = (subject(name, KERNEL).script for name in ("counting", "socket-filter"))

LANES = [f"debian-12/{lane}" for lane in ("x86_64/interp", "x86_64/jit", "arm64/interp")]


def everything(_: str) -> bool:
    return True


def refused(*arguments: str) -> str:
    result: Result = CliRunner().invoke(commands.debug, arguments)
    assert isinstance(result.exception, UserError), result.output
    return str(result.exception)


def test_a_lane_that_does_not_exist() -> None:
    assert "debian-1" in refused("debian-1/x86_64")


def test_more_than_one_lane_is_too_many() -> None:
    assert "names 4 lanes; choose one of: debian-12/x86_64/interp," in refused("debian-12")


def test_an_architecture_is_enough_to_choose_the_interpreter() -> None:
    assert one_lane("debian-12/arm64") == Lane("debian-12", "arm64", Engine.INTERP)
    assert one_lane("debian-12/arm64/jit").engine is Engine.JIT


def test_a_script_that_does_not_exist() -> None:
    with pytest.raises(UserError, match=r"script, clause, case or error of kernels 'countin'; there is counting"):
        subject("countin", KERNEL)


def test_an_error_of_kernels_is_told_by_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"'jmp32-pointer'; there is jmp32-pointer-zero or .*; see .* and hil bugs"):
        subject("jmp32-pointer", KERNEL)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("test_fault.py", "test_fault.py is a file of tests, .* pytest test_fault.py --hil-on-divergence lockstep"),
        ("test_fault.py::test_it", "pytest test_fault.py::test_it --hil-on-divergence lockstep"),
        ("none.o", r"there is no file none.o; write OBJECT\[:PROGRAM\]; hil check OBJECT --on-divergence lockstep"),
        ("none.o:program", "there is no file none.o; "),
    ],
)
def test_a_file_that_cannot_be_debugged_is_told_with_what_can(name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        subject(name, KERNEL)


def test_every_era_of_the_catalogue_has_a_hook() -> None:
    assert all(hook(era, COUNTING, everything).arguments[1] == "ctx" for era in catalogue.eras())
    assert all(row.arguments.index("ctx") == 1 for row in KPROBE_HOOKS.values())


def test_an_unknown_era_is_told() -> None:
    with pytest.raises(
        UserError, match="no function that is known to run the programs of counting; name one with --br"
    ):
        hook("2.6", COUNTING, everything)


def test_a_socket_filter_is_met_where_its_packet_is_sent() -> None:
    found = hook("4.1", FILTER, everything)
    assert (found.symbol, arguments_of(found.symbol, "4.1")) == ("unix_dgram_sendmsg", ("sock", "msg", "len"))


@pytest.mark.parametrize(
    ("place", "symbol"),
    [
        *((place, "trace_call_bpf") for place in ("kprobe/f", "kretprobe/f", "tracepoint/sched/sched_switch")),
        ("socket", "unix_dgram_sendmsg"),
        *((place, "") for place in ("raw_tp/sched_switch", "perf_event", "kprobe.multi/f", "xdp", "tc")),
    ],
)
def test_a_program_of_an_object_stops_where_its_place_runs_it(place: str, symbol: str, tmp_path: Path) -> None:
    symbols = (Symbol("one", 1, FUNC, size=16),)
    content = object_file(section(place, *BODY), Section("license", b"GPL\0"), symbols=symbols)
    (tmp_path / "probe.o").write_bytes(content)
    script = subject(str(tmp_path / "probe.o"), KERNEL).script
    if symbol:
        assert hook("6.1", script, everything).symbol == symbol
    else:
        with pytest.raises(UserError, match=r"probe.o:one; name one with --break; after .* bpf_check, .* `bpf br"):
            hook("6.1", script, everything)


def test_a_script_of_threads_stops_where_its_events_run_programs() -> None:
    at = next(at for at, one in enumerate(COUNTING.operations) if isinstance(one, OpenEvent))
    opens = Thread(0, COUNTING.operations[at : at + 1])
    script = Script("threads", "without needs", (*COUNTING.operations[:at], RunThreads((opens,))))
    assert hook("6.1", script, everything).symbol == "trace_call_bpf"


def test_a_kernel_without_the_function_is_told_as_that() -> None:
    for script in (COUNTING, FILTER):
        with pytest.raises(UserError, match=f"to run the programs of {script.name}; name one"):
            hook("6.1", script, lambda _: False)


@pytest.mark.parametrize(("arch", "name"), [("x86_64", "counting"), ("arm64", "socket-filter")])
def test_where_there_are_no_kprobes_another_script_is_the_usual_one(arch: str, name: str) -> None:
    assert usual(arch, "4.1") == name


@pytest.mark.parametrize(
    ("examined", "told"),
    [
        (Examined(note=EMPTY), True),
        (Examined(note=NOTHING), True),
        (Examined(note=REFUSED, refused=("one: the kernel refused it",)), False),
        (Examined(1, 2), False),
    ],
)
def test_where_no_program_was_reached_lockstep_says_what_to_do(examined: Examined, told: bool) -> None:
    assert (in_lockstep.UNREACHED in in_lockstep.Held(LANES[0], MODEL, examined).lines()) is told


def test_debug_symbols_go_with_gdb_alone() -> None:
    assert "and --debug-symbols" in refused(LANES[0], "--lockstep", "counting", "--debug-symbols")


def test_missing_debug_symbols_are_told_before_anything_boots(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = fake_kernel("mine", "x86_64", provenance={"source": "imported", "sha256": {"image": "ab" * 32}})
    monkeypatch.setattr(commands, "prepare", lambda *_: SimpleNamespace(kernel=mine))
    monkeypatch.setattr(commands, "require_gdb", lambda: None)
    assert "hil kernels import --vmlinux" in refused(LANES[0], "--debug-symbols")


@pytest.mark.parametrize("words", [("--lockstep", ""), ("--script", ""), ("--lockstep", "counting", "--script", "")])
def test_an_empty_name_is_not_taken_for_none(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (commands, in_lockstep):
        monkeypatch.setattr(module, "prepare", lambda *_: SimpleNamespace(kernel=KERNEL))
    monkeypatch.setattr(commands.matrix, "make_folder", lambda _: None)
    said = refused("debian-12/x86_64", *words)
    assert "there is no script" in said or "does not go with" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lane", LANES[0], "--lane", LANES[0]], "for one lane, or for two that differ, not for 2"),
        (["--lane", LANES[0], "--lane", LANES[1], "--lane", LANES[2]], "not for 3"),
        (["--lane", LANES[0], "--lane", LANES[1], "--record", "file"], "for one with --record or --against"),
        (["--lane", LANES[0], "--script", "counting"], "--lockstep does not go with --script"),
        (["--lane", LANES[0], "--against", "/none"], "/none cannot be read"),
        ([], "not for 0"),
    ],
)
def test_lockstep_is_for_one_lane_or_two(words: list[str], said: str) -> None:
    assert said in refused("--lockstep", "counting", *words)


def test_records_are_of_lockstep_or_of_a_session() -> None:
    assert "--interactive or --gdb-server does not go with --record" in refused(LANES[0], "--record", "file")
    assert "without --lockstep does not go with --against" in refused(LANES[0], "--interactive", "--against", "file")


def test_everything_that_has_a_name_can_be_debugged(tmp_path: Path) -> None:
    (bug,) = (one for one in bugs() if one.id == "jmp32-pointer-zero")
    assert subject(bug.id, KERNEL).script == bug.script()
    assert subject("ATTACH-14", KERNEL).script.name == "ATTACH-14"
    assert subject("case-7-12", KERNEL).script.name == "case-7-12"
    missing = tmp_path / "none.json"
    with pytest.raises(UserError, match=r"cannot read .*none\.json"):
        subject(str(missing), KERNEL)


def test_a_program_of_an_object_can_be_debugged(tmp_path: Path) -> None:
    file = tmp_path / "probe.o"
    file.write_bytes(an_object("one", "two"))
    assert subject(f"{file}:two", KERNEL).script.name == "probe.o:two"
    with pytest.raises(UserError, match="2 programs are meant"):
        subject(str(file), KERNEL)
