# SPDX-License-Identifier: MIT
"""What runs inside gdb, as far as it can be tried without one, and what it is given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.core_scripts import core_scripts
from harness.debug.inside.data import (
    InterpreterData,
    LoadData,
    MapData,
    ProgramData,
    RunData,
    SessionData,
    StepData,
    ValueData,
    read,
    write,
)
from harness.debug.inside.ways import functions, ways
from harness.debug.prepared import _attached
from harness.debug.traced import runs
from harness.isa import assemble as asm
from harness.isa.assemble import R0, R1
from harness.isa.opcodes import Helper
from harness.lane import Engine
from harness.model.environment import Environment
from harness.script.operations import CreateMap, LoadProgram, MapType, RunThreads, Script, Thread, Trigger

ROOT = Path(__file__).resolve().parents[3]
# A module for everything that gdb has, so that only what else is imported can be missing.
STUB = """
import sys, types
class Anything(type):
    def __getattr__(cls, name): return cls
class Stub(types.ModuleType):
    def __getattr__(self, name): return Anything(name, (), {})
for name in ("gdb", "gdb.FrameDecorator", "gdb.unwinder"): sys.modules[name] = Stub(name)
sys.path.append(sys.argv[1])
from harness.debug.inside.begin import begin
print("all there")
"""


def test_nothing_but_the_standard_library_is_needed_inside_gdb() -> None:
    command = [sys.executable, "-I", "-S", "-c", STUB, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "all there\n", done.stderr


def test_what_gdb_reads_is_what_was_written(tmp_path: Path) -> None:
    step = StepData(0, 1, [ValueData("0x1", 1), ValueData("the stack+512", 512, region=0)], [[-8, "00"]])
    data = SessionData(
        *("debian-12/arm64/jit", "arm64", "6.1", "6.1.1", "/config", True, ["x7"]),
        *("", LoadData(1, "x0"), 2, "hook", ["ctx"]),
        [ProgramData("p", 2, "KPROBE", "95", [[0, "exit"]], [], ["m"], [])],
        [MapData("m", "ARRAY", 4, 8, 1)],
        InterpreterData(3, [4], "x19", "x20", 0),
        {"bpf_prog.len": 4},
        [RunData(0, [step])],
    )
    write(tmp_path / "file", data)
    assert read(tmp_path / "file") == data


def test_where_a_program_may_go() -> None:
    program = asm.program(
        asm.ld_imm64(R1, 1),
        asm.jeq_imm(R1, 1, "there"),
        asm.call(Helper.TAIL_CALL),
        "there",
        asm.call_local("other"),
        asm.exit_(),
        "other",
        asm.mov64_imm(R0, 0),
        asm.exit_(),
    ).instructions
    assert functions(program) == (0, 6)
    assert ways(program, 0) == ({2}, False)
    assert ways(program, 2) == ({3, 4}, False)
    assert ways(program, 3) == ({4}, True), "a tail call goes on when it fails"
    assert ways(program, 4) == ({6}, False)
    assert ways(program, 5) == (frozenset(), True)
    assert ways(program, 7) == ({5}, False), "back behind the call"


def test_a_load_from_behind_the_packet_ends_its_function() -> None:
    program = asm.program(
        asm.mov64_reg(asm.R6, asm.R1),
        asm.ld_abs(asm.Size.B, 8),
        asm.call_local("function"),
        asm.exit_(),
        "function",
        asm.ld_abs(asm.Size.B, 8),
        asm.exit_(),
    ).instructions
    assert ways(program, 1) == ({2}, True)
    assert ways(program, 4) == ({3, 5}, False)


def environment(engine: Engine = Engine.JIT) -> Environment:
    return Environment("6.1", "x86_64", 0x601C0, engine=engine)


def test_the_models_steps_are_what_gdb_compares_with() -> None:
    script = next(one for one in core_scripts("x86_64", "6.1") if one.name == "counting")
    found, without = runs(environment(), script)
    assert not without and len(found) == 100
    first = found[0].steps[0]
    assert (first.program, first.pc, first.registers[1].text) == (0, 0, "the context+0")
    assert first.registers[0].mask and first.registers[10].region is not None
    stored = next(one for one in found[0].steps if one.stack)
    assert stored.stack[0] == (-4, "00000000")


def test_a_model_without_runs_says_why() -> None:
    idle = Script("idle", "", (CreateMap("map", MapType.ARRAY, 4, 8, 1),))
    assert runs(environment(), idle)[1] == "it runs none of the script's programs"
    hit = (Trigger("cap_task_prctl"),)
    threads = Script("threads", "", (RunThreads((Thread(0, hit), Thread(1, hit))),))
    assert "several threads" in runs(environment(), threads)[1]


@pytest.mark.parametrize(
    ("name", "attached"),
    [("counting", ["entry of cap_task_prctl"]), ("socket-filter", ["RunSocketFilter"])],
)
def test_what_a_program_is_attached_to(name: str, attached: list[str]) -> None:
    script = next(one for one in core_scripts("x86_64", "6.1") if one.name == name)
    programs = [one.name for one in script.operations if isinstance(one, LoadProgram)]
    assert [*dict.fromkeys(place for one in programs for place in _attached(script, one))] == attached


def test_the_page_shows_the_example_that_is_run() -> None:
    shown = (ROOT / "docs/debugging.md").read_text()
    example = (ROOT / "docs/examples/test_debugger.py").read_text()
    assert f"```python\n{example[example.index('import pytest') :]}```" in shown
