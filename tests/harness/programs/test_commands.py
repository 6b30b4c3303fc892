# SPDX-License-Identifier: MIT
"""`hil model`, as people use it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.isa.instruction import encode
from harness.isa.text import assemble
from harness.model.executor import ModelExecutor
from harness.model.rules import version
from harness.programs.commands import model
from harness.script.operations import LoadProgram, ProgramType, Script
from harness.script.outcome import Outcome
from hil.errors import HilError, UserError
from tests.harness.model.running import environment
from tests.harness.objects.building import everything
from tests.harness.objects.types import Types
from tests.harness.programs.elf import ALLOC, EXEC, Section, object_file

COUNTING = """
    *(u32 *)(r10 -4) = 0
    r2 = r10
    r2 += -4
    r1 = map hits
    call 1
    if r0 == 0x0 goto out
    *(u64 *)(r0 +0) = 42
    out: r0 = 1
    exit
"""
MAP = ("--map", "hits:array:4:8:1")


def hil_model(*arguments: str, program: str | bytes = COUNTING) -> Result:
    command, *options = arguments
    return CliRunner().invoke(model, [command, "-", *options], input=program)


def said(result: Result) -> tuple[int, str]:
    """Exit status and output; with click's own runner the status is the function's result."""
    return result.return_value if result.exception is None else result.exit_code, result.output


@pytest.fixture(autouse=True)
def results_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `hil` calls it: a command's result is the exit status."""
    original = CliRunner.invoke

    def invoke(self: CliRunner, *arguments: object, **more: object) -> Result:
        return original(self, *arguments, **more, standalone_mode=False)  # type: ignore[arg-type]

    monkeypatch.setattr(CliRunner, "invoke", invoke)


def refusal(*arguments: str, program: str | bytes = COUNTING) -> str:
    result = hil_model(*arguments, program=program)
    assert isinstance(result.exception, UserError), result.output
    assert result.exception.exit_status == 2
    return str(result.exception)


def test_disasm_is_the_notation_the_assembler_reads() -> None:
    status, output = said(hil_model("disasm"))
    assert status == 0
    assert "3: (18) r1 = map hits\n5: (85) call 1\n" in output
    assert said(hil_model("disasm", program=output))[1] == output


def test_verify_prints_the_log_of_4_1_and_the_verdict() -> None:
    assert said(hil_model("verify", *MAP))[0] == 0
    status, output = said(hil_model("verify", program="r0 = r2\nexit"))
    assert (status, output) == (1, "0: (bf) r0 = r2\nR2 !read_ok\nrefused: EACCES: R2 !read_ok, at instruction 0\n")


def test_verify_asks_for_type_and_license() -> None:
    clock = "call 5\nexit"
    assert said(hil_model("verify", program=clock))[0] == 0
    assert "GPL only" in said(hil_model("verify", "--license", "MIT", program=clock))[1]
    assert "refused: EINVAL: unknown func 5" in said(hil_model("verify", "--type", "socket_filter", program=clock))[1]


def test_verify_of_what_never_reaches_the_verifier() -> None:
    status, output = said(hil_model("verify", program="r0 = 0\n" * 4096 + "exit"))
    assert (status, output) == (1, "refused: EINVAL, before the verifier looks at it: 4097 instructions\n")


def test_verify_of_a_map_the_era_has_not_is_the_kernels_answer() -> None:
    for given in ("hits:ringbuf:0:0:4096", "hits:array:8:8:1"):
        status, output = said(hil_model("verify", "--map", given))
        told = "map hits: the kernel of era 4.1 refuses it with EINVAL"
        assert (status, output) == (1, f"refused: EINVAL, before the verifier looks at it: {told}\n")
    status, output = said(hil_model("verify", "--era", "6.1", "--map", "hits:array:4:8:1"))
    assert (status, output) == (0, "accepted\n")


def test_verify_of_a_map_nobody_can_predict() -> None:
    status, output = said(hil_model("verify", "--era", "6.1", "--map", "hits:13:4:4:1"))
    assert status == 1 and output.startswith("unpredicted: map hits: ")


@pytest.mark.parametrize(
    ("era", "arch", "engine", "helper", "word"),
    [
        ("7.2", "arm64", "interp", 8, "refused: EINVAL"),
        ("7.2", "arm64", "jit", 8, "accepted"),
        ("7.2", "x86_64", "interp", 8, "accepted"),
        ("6.12", "arm64", "interp", 8, "accepted"),
        ("4.1", "x86_64", "jit", 7, "refused: EINVAL"),
        ("5.10", "x86_64", "jit", 7, "accepted"),
        ("4.1", "arm64", "jit", 1, "refused: EINVAL"),  # which has no kprobes
    ],
)
def test_the_command_and_the_lane_have_one_answer(era: str, arch: str, engine: str, helper: int, word: str) -> None:
    text = f"call {helper}\nr0 = 0\nexit"
    _, output = said(hil_model("verify", "--era", era, "--arch", arch, "--engine", engine, program=text))
    assert output.splitlines()[-1].startswith(word)
    lane = ModelExecutor(environment(era, arch, engine=engine))
    (told,) = lane.run(Script("s", "", (LoadProgram("p", ProgramType.KPROBE, assemble(text)),)))
    assert isinstance(told, Outcome) and (told.errno is None) == (word == "accepted")


def test_the_model_does_not_run_what_the_engine_cannot_call() -> None:
    lane = ("--era", "7.2", "--arch", "arm64")
    assert said(hil_model("run", *lane, "--engine", "jit", program="call 8\nexit")) == (0, "r0 = 0x0\n")
    status, output = said(hil_model("run", *lane, "--engine", "interp", program="call 8\nexit"))
    assert status == 1
    assert output == (
        "no result: what no verified program does: call of helper 8, which only the JIT can make, at instruction 0\n"
    )


def test_verify_by_the_type_of_a_section() -> None:
    def verified(section: str, *arguments: str) -> str:
        code = encode(assemble("r0 = *(u32 *)(r1 +0)\nr0 = 0\nexit").instructions)
        content = object_file(Section(section, code, ALLOC | EXEC))
        return said(hil_model("verify", *arguments, program=content))[1].splitlines()[-1]

    assert verified("kprobe/sys_write") == "accepted"
    assert (
        verified("xdp") == "refused: EINVAL, before the verifier looks at it: this kernel has no programs of type XDP"
    )
    for section, type in (("xdp", "XDP"), ("raw_tp/a", "RAW_TRACEPOINT"), ("fentry/f", "TRACING"), ("lsm/h", "LSM")):
        told = f"unpredicted: the model has no verifier for programs of type {type}"
        assert verified(section, "--era", "6.1") == told
    assert verified("xdp", "--type", "kprobe") == "accepted"
    assert verified("kprobe.multi/f", "--era", "6.1").startswith(
        "unpredicted: section kprobe.multi/f is loaded with more"
    )
    assert verified("netfilter", "--era", "6.1").startswith("refused: EINVAL")  # came with 6.4


def test_a_section_that_tells_no_type_is_not_taken_for_a_kprobe() -> None:
    code = encode(assemble("r0 = 1\nexit").instructions)
    content = object_file(Section(".text", code, ALLOC | EXEC))
    for command in ("verify", "run"):
        told = "section .text does not tell a program type; name it with --type"
        assert refusal(command, program=content) == told
    assert said(hil_model("verify", "--type", "kprobe", program=content))[1].endswith("accepted\n")
    assert said(hil_model("run", "--type", "kprobe", program=content)) == (0, "r0 = 0x1\n")
    assert said(hil_model("run", "--memory", "00", program=content)) == (0, "r0 = 0x1\n")


def test_only_a_kprobes_context_is_made_up() -> None:
    code = encode(assemble("r0 = 1\nexit").instructions)
    content = object_file(Section("xdp", code, ALLOC | EXEC))
    assert "what R1 of a program of type XDP points to is not known; give it as --memory" in refusal(
        "run", program=content
    )
    assert said(hil_model("run", "--memory", "00", program=content)) == (0, "r0 = 0x1\n")


def test_the_version_a_program_is_for_counts_where_kernels_look_at_it() -> None:
    def verified(code: int, *arguments: str) -> str:
        program = Section("kprobe/f", encode(assemble("r0 = 0\nexit").instructions), ALLOC | EXEC)
        content = object_file(program, Section("version", code.to_bytes(4, "little")))
        return said(hil_model("verify", *arguments, program=content))[1].splitlines()[-1]

    assert verified(version(4, 1, 52)) == "accepted"
    told = "refused: EINVAL, before the verifier looks at it: the program is for Linux 4.1.37, and this is 4.1.52"
    assert verified(version(4, 1, 37)) == told
    assert verified(0).startswith("refused: EINVAL")
    assert verified(version(4, 1, 37), "--era", "5.10") == "accepted"


def test_verify_asks_no_kernel_for_a_log_it_may_die_of() -> None:
    status, output = said(hil_model("verify", program="r0 = 0\nif r0 < 0x5 goto pc+0\nexit"))
    first, last = output.splitlines()
    assert status == 1 and first.startswith("log (not asked for: the log of 4.1 has no name for operation a5")
    assert last == "refused: EINVAL: invalid BPF_JMP opcode a0, at instruction 1"


def test_no_words_are_put_into_the_mouth_of_a_release() -> None:
    """4.1 refuses this for the jump, and its checks would refuse the path that reads R3. 6.1 follows no path that no
    number takes: is_branch_taken(), kernel/bpf/verifier.c."""
    status, output = said(hil_model("verify", "--era", "6.1", program="r0 = 0\nif r0 < 0x5 goto pc+1\nr0 = r3\nexit"))
    assert (status, output) == (0, "accepted\n")
    status, output = said(hil_model("verify", "--era", "6.1", program="r0 = r3\nexit"))
    told = "refused: EACCES, at instruction 0; the message differs by release, here: R3 !read_ok\n"
    assert (status, output) == (1, told)


def test_verify_says_what_it_does_not_know() -> None:
    status, output = said(hil_model("verify", "--era", "7.2", program="may_goto pc+0\nr0 = 0\nexit"))
    assert status == 1 and output.startswith("unpredicted: instruction 0 is may_goto")


def test_verify_warns_of_what_brings_the_kernel_down() -> None:
    # No path reaches the call, so nobody looks at it until the kernel replaces its number by an address.
    status, output = said(hil_model("verify", program="r0 = 0\nif r0 == 0x0 goto pc+1\ncall 9\nexit"))
    assert status == 1 and "accepted, and then the kernel crashes" in output and "warning: the kernel oopses" in output


def test_run_prints_r0_and_maps() -> None:
    assert said(hil_model("run", *MAP)) == (0, "r0 = 0x1\nhits[00000000] = 2a00000000000000\n")


def test_run_without_a_map_the_kernel_does_not_make() -> None:
    failed = hil_model("run", "--map", "hits:array:8:8:1").exception
    assert isinstance(failed, HilError) and failed.exit_status == 1
    assert str(failed) == "map hits: the kernel of era 4.1 refuses it with EINVAL"


def test_run_with_memory_and_a_fault() -> None:
    program = "r0 = *(u8 *)(r1 +2)\nexit"
    assert said(hil_model("run", "--memory", "01 02 ff", program=program)) == (0, "r0 = 0xff\n")
    status, output = said(hil_model("run", "--memory", "0102", program=program))
    assert status == 1 and "read of 1 bytes at 2 of the memory, which has 2, at instruction 0" in output


def test_run_with_arguments() -> None:
    assert said(hil_model("run", "--argument", "1=0x10", program="r0 = *(u64 *)(r1 +112)\nexit"))[1] == "r0 = 0x10\n"


def test_a_trace_tells_every_instruction_and_what_it_changed() -> None:
    _, output = said(hil_model("run", "--trace", program="r0 = 7\nr3 = r10\nr0 = 7\nexit"))
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert lines == [
        "0: (b7) r0 = 7 r0 = 0x7",
        "1: (bf) r3 = r10 r3 = the stack+512",
        "2: (b7) r0 = 7",
        "3: (95) exit",
        "r0 = 0x7",
    ]


@pytest.mark.parametrize(
    ("arguments", "program", "reason"),
    [
        (("run",), COUNTING, "instruction 3 refers to map hits, which is not defined; add --map hits:TYPE"),
        (("run", "--map", "hits:array:4"), COUNTING, "no map"),
        (("run", "--map", "hits:list:4:8:1"), COUNTING, "no map"),
        (("run", "--map", "hits:array:4:-8:1"), COUNTING, "does not fit into 32 bits"),
        (("run", "--memory", "0"), "exit", "--memory is not hexadecimal"),
        (("run", "--memory", "00", "--argument", "1=1"), "exit", "both set R1"),
        (("run", "--argument", "one=1"), "exit", "write N=VALUE"),
        (("run", "--argument", "7=1"), "exit", "passes arguments 1 to 6"),
        (("run",), "goto pc+7\nexit", "instruction 0 jumps to 8"),
        (("disasm",), b"\xff" * 8, "instruction 0 has no meaning"),
        (("disasm",), b"\x95" + bytes(6), "7 bytes"),
    ],
)
def test_wrong_input_is_one_line(arguments: tuple[str, ...], program: str | bytes, reason: str) -> None:
    message = refusal(*arguments, program=program)
    assert reason in message and "\n" not in message


@pytest.mark.parametrize("command", ["disasm", "verify", "run"])
def test_noise_is_one_line(command: str) -> None:
    assert "1310720 instructions" in refusal(command, program=os.urandom(7) + bytes(1) + os.urandom(10485752))


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "program").write_text("r0 = 3\nexit\n")
    result = CliRunner().invoke(model, ["run", str(tmp_path / "program")])
    assert said(result) == (0, "r0 = 0x3\n")


def test_a_program_adjusted_to_a_kernels_types(tmp_path: Path) -> None:
    types = Types()
    number = types.int()
    types.struct("task_struct", 32, pid=(number, 128))
    for filler in range(6000):
        types.int(f"int{filler}")
    (tmp_path / "types").write_bytes(types.content())
    (tmp_path / "probe.o").write_bytes(everything())
    choose = ["disasm", str(tmp_path / "probe.o"), "--section", "one"]
    status, output = said(CliRunner().invoke(model, [*choose, "--types", str(tmp_path / "types")]))
    assert status == 0
    assert "3: (b7) r0 = 16\n" in output
    without = CliRunner().invoke(model, ["verify", *choose[1:]])
    assert "relocated to the kernel's own task_struct" in str(without.exception)
    assert "leave --types out" in refusal("disasm", "--types", str(tmp_path / "types"))
