# SPDX-License-Identifier: MIT
"""The program under way and its instruction, found in registers, on the stack and in a JIT's code."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest

from harness.isa.assemble import R0, R1, R6, add64_imm, call, exit_, mov64_imm, mov64_reg, program
from harness.isa.instruction import encode
from harness.lowering.watch import LoadedCode
from harness.postmortem.programs import Compiled, interpreted, interpreter_of, nameless, natively, programs
from harness.script.operations import LoadProgram, Operation, ProgramType, Script
from hil.gdb.frame import Frame
from hil.machine.monitor import MonitorFailed
from hil.postmortem import StillCpu

CODE = 0xFFFF_8000_8200_0048
STACK = 0xFFFF_8000_8300_1000
IMAGE = 0xFFFF_8000_0900_0040
PROGRAM = program(mov64_imm(R6, 7), mov64_reg(R1, R6), call(35), mov64_imm(R0, 0), exit_())
OTHER = program(mov64_imm(R0, 1), add64_imm(R0, 1), exit_())


def script(name: str = "deadly") -> Script:
    loads: tuple[Operation, ...] = (
        LoadProgram("other", ProgramType.KPROBE, OTHER),
        LoadProgram("program", ProgramType.KPROBE, PROGRAM),
    )
    return Script(name, "one", loads)


def cpu(registers: Mapping[str, int], memory: Mapping[int, bytes]) -> StillCpu:
    pages = {address // 4096 for at, data in memory.items() for address in range(at, at + len(data))}

    def read(address: int, size: int, cpu: int) -> bytes:
        if address // 4096 not in pages:
            raise MonitorFailed("nothing is mapped there")
        found = bytearray(size)
        for at, data in memory.items():
            for number, byte in enumerate(data):
                if address <= at + number < address + size:
                    found[at + number - address] = byte
        return bytes(found)

    return StillCpu(0, "arm64", {"sp": STACK, "pc": 0xFFFF_8000_8000_0000, **registers}, read)


def code() -> bytes:
    """The program as the kernel has it: the helper's number is the distance to its function there."""
    inside = bytearray(encode(PROGRAM.instructions))
    inside[20:24] = struct.pack("<i", -123456)
    return bytes(inside)


def stack(*words: int) -> bytes:
    return struct.pack(f"<{len(words)}Q", *words)


def test_the_interpreter_is_found_by_its_names() -> None:
    frames = [Frame(1, "panic"), Frame(2, "___bpf_prog_run.constprop.0", 8), Frame(3, "trace_call_bpf")]
    assert interpreter_of(frames) == 1 and interpreter_of(frames[:1]) is None


@pytest.mark.parametrize("index", [2, 3])
def test_a_helper_that_died_is_told_by_what_its_functions_saved(index: int) -> None:
    """The register is at the call or, where the compiler goes on before it calls, at what follows."""
    words = stack(5, 0x1234, STACK + 64, CODE + 8 * index, 0xFFFF_9000_0000_0000)
    found = interpreted(cpu({}, {STACK: words, CODE: code()}), 4, [script()])
    assert found == "BPF program 'program' of deadly, run by the interpreter, at instruction 2: (85) call 35"


def test_an_interpreter_that_loops_is_told_by_its_registers() -> None:
    found = interpreted(cpu({"x19": CODE + 8}, {CODE: code()}), 0, [script()])
    assert "'program' of deadly" in found and "at instruction 1: (bf) r1 = r6" in found
    assert "at or just behind it" in found


def test_what_only_looks_like_an_instruction_is_none() -> None:
    alone = struct.pack("<Q", 0x85) * 4
    found = interpreted(cpu({"x19": CODE + 16}, {CODE: alone}), 0, [script()])
    assert found.endswith("neither registers nor stack lead to one of the 2 programs under way")


def test_without_a_script_under_way_that_is_said() -> None:
    assert "no script was under way that loads one" in interpreted(cpu({}, {}), 0, [])


def test_scripts_with_the_same_program_are_not_told_apart() -> None:
    found = interpreted(cpu({"x19": CODE + 8}, {CODE: code()}), 0, [script(), script("twin")])
    assert found.count("BPF program") == 1 and "of one of 2 scripts under way" in found


def compiled() -> Compiled:
    """The program as another machine has it, elsewhere, with another address in its code."""
    image = bytes(range(1, 61))
    lines = tuple((number, number) for number in range(5))
    begin = IMAGE + 0x5000
    told = LoadedCode("program", b"", lines, tuple(begin + at for at in (12, 20, 28, 44, 52)), image, ((begin, 60),))
    found = next(one for one in programs([script()]) if one.name == "program")
    return Compiled(found, told)


def there() -> bytes:
    image = bytearray(range(1, 61))
    image[30:34] = b"\xaa\xbb\xcc\xdd"
    return bytes(image)


@pytest.mark.parametrize(("at", "frame", "instruction"), [(22, 0, 1), (44, 1, 2), (52, 0, 4), (2, 0, 0)])
def test_native_code_is_told_by_where_another_machine_has_it(at: int, frame: int, instruction: int) -> None:
    """A return address is behind the call, where the next instruction may begin."""
    frames = [Frame(1 << 63, "helper", 4)] * frame + [Frame(IMAGE + at)]
    found = natively(cpu({}, {IMAGE: there()}), frames, [compiled()])
    assert f"'program' of deadly, compiled, at instruction {instruction}: " in found


def test_native_code_of_another_program_is_not_taken_for_it() -> None:
    frames = [Frame(IMAGE + 22)]
    assert nameless(frames) and not nameless([Frame(0x400000), Frame(1 << 63, "known")])
    assert natively(cpu({}, {IMAGE: there()[:4] + b"\x90" * 56}), frames, [compiled()]) == ""
    assert natively(cpu({}, {}), frames, [compiled()]) == ""
