"""`hil model`, as people use it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.programs.commands import model
from hil.errors import UserError

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
    assert (status, output) == (1, "refused: EINVAL, before the verifier looks at it\n")


def test_verify_says_what_it_does_not_know() -> None:
    status, output = said(hil_model("verify", "--era", "7.2", program="may_goto pc+0\nr0 = 0\nexit"))
    assert status == 1 and output.startswith("unpredicted: instruction 0 is may_goto")


def test_verify_warns_of_what_brings_the_kernel_down() -> None:
    # No path reaches the call, so nobody looks at it until the kernel replaces its number by an address.
    status, output = said(hil_model("verify", program="r0 = 0\nif r0 == 0x0 goto pc+1\ncall 9\nexit"))
    assert status == 1 and "accepted, and then the kernel dies" in output and "warning: the kernel oopses" in output


def test_run_prints_r0_and_maps() -> None:
    assert said(hil_model("run", *MAP)) == (0, "r0 = 0x1\nhits[00000000] = 2a00000000000000\n")


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
        (("run", "--map", "hits:array:8:8:1"), COUNTING, "map hits: the kernel of era 4.1 refuses it with EINVAL"),
        (("verify", "--map", "hits:array:8:8:1"), COUNTING, "map hits: the kernel of era 4.1 refuses it with EINVAL"),
        (("run", "--memory", "0"), "exit", "--memory is not hexadecimal"),
        (("run", "--memory", "00", "--argument", "1=1"), "exit", "both say what R1 is"),
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
