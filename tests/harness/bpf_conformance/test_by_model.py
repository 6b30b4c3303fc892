# SPDX-License-Identifier: MIT
"""The contract of bpf_conformance, served by the model."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from harness.bpf_conformance.commands import plugin
from harness.bpf_conformance.request import ProgramFailed
from harness.isa.instruction import encode
from harness.isa.text import assemble
from hil.errors import HilError, UserError
from tests.harness.programs.elf import ALLOC, EXEC, Section, object_file


def hexadecimal(text: str) -> str:
    """As the suite's runner writes it."""
    return encode(assemble(text).instructions).hex(" ") + "\n"


def call(program: str, *arguments: str) -> Result:
    return CliRunner().invoke(plugin, arguments, input=program, standalone_mode=False)


def error(program: str, *arguments: str) -> HilError:
    result = call(program, *arguments)
    assert isinstance(result.exception, HilError), result.output
    assert result.output == "" and "\n" not in str(result.exception)
    return result.exception


def test_memory_is_in_r1_and_its_length_in_r2() -> None:
    result = call(hexadecimal("r0 = *(u16 *)(r1 +1)\nr0 <<= 8\nr0 |= r2\nexit"), "aa 11 22 33")
    assert (result.return_value, result.output) == (0, "221104\n")


def test_r0_has_64_bits() -> None:
    assert call(hexadecimal("r0 = -1\nexit")).output == "ffffffffffffffff\n"


def test_the_program_may_be_an_argument() -> None:
    assert call("", "--program", hexadecimal("r0 = 3\nexit")).output == "3\n"


def test_an_object_file() -> None:
    code = encode(assemble("r0 = 9\nexit").instructions)
    content = object_file(Section(".text", code, ALLOC | EXEC))
    assert call(content.hex(" "), "00", "--debug", "--elf").output == "9\n"


def test_the_era_is_chosen() -> None:
    divides = hexadecimal("r0 = 7\nr1 = 0\nr0 %= r1\nexit")
    assert [call(divides, "--era", era).output for era in ("4.1", "7.2")] == ["0\n", "7\n"]
    assert "which came with 6.6" in str(error(hexadecimal("r0 = bswap16 r0\nexit"), "--era", "6.1"))


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("r0 = *(u8 *)(r1 +1)\nexit", "read of 1 bytes at 1 of the memory, which has 1, at instruction 0"),
        ("exit", "R0 is a register nobody wrote"),
        ("r0 = 0 {off=7}\nexit", "instruction 0 has a value in a reserved field"),
        ("goto pc+7\nexit", "instruction 0 jumps to 8"),
        ("l: goto l\nexit", "more instructions than any verified program takes"),
    ],
)
def test_programs_that_fail_have_status_1(program: str, reason: str) -> None:
    failed = error(hexadecimal(program), "00")
    assert isinstance(failed, ProgramFailed) and failed.exit_status == 1
    assert reason in str(failed)


@pytest.mark.parametrize(
    ("program", "memory", "reason"),
    [
        ("zz", "", "the program is not hexadecimal at 'zz'"),
        ("\xff", "", "the program is not hexadecimal"),
        ("", "", "the program is empty"),
        ("95 00", "", "2 bytes"),
        ("95 00 00 00 00 00 00 00", "0", "the memory is not hexadecimal"),
        ("95 00 00 00 00 00 00 00", "00 " * ((1 << 20) + 1), "a memory of 1048577 bytes"),
    ],
)
def test_wrong_input_has_status_2(program: str, memory: str, reason: str) -> None:
    assert isinstance(wrong := error(program, memory), UserError)
    assert reason in str(wrong)


def test_a_lane_is_named_in_full() -> None:
    for name in ("debian-12", "debian-12/arm64", "../../x/jit", "debian-12/arm64/fast"):
        assert "write KERNEL/ARCH/ENGINE" in str(error(hexadecimal("exit"), "--lane", name))
    assert "unknown lane 'no-such/x86_64/jit'" in str(
        error(hexadecimal("r0 = 0\nexit"), "--lane", "no-such/x86_64/jit")
    )


def test_the_word_alone_is_the_command_it_says_it_is() -> None:
    """Not `hil-plugin plugin`, which there is not."""
    run = [
        sys.executable,
        "-c",
        "import sys; sys.argv[0] = 'hil-plugin'\nfrom harness.bpf_conformance.commands import main; main()",
    ]
    helped = subprocess.run([*run, "-h"], capture_output=True, text=True, timeout=60)
    assert (helped.returncode, helped.stdout.splitlines()[0]) == (0, "Usage: hil-plugin [OPTIONS] [MEMORY]")
    wrong = subprocess.run([*run, "--absent"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2 and "Try 'hil-plugin -h' for help." in wrong.stderr.replace("--help", "-h")
    refused = subprocess.run([*run, "--program", "zz"], capture_output=True, text=True, timeout=60)
    assert (refused.returncode, refused.stderr.startswith("hil: the program is not hexadecimal")) == (2, True)
