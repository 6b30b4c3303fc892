# SPDX-License-Identifier: MIT
"""`hil object`, as people use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.isa.assemble import R1, exit_, ld_imm64
from harness.objects.commands import object_
from hil.errors import UserError
from tests.harness.objects.building import everything, moved, section
from tests.harness.objects.types import Types
from tests.harness.programs.elf import Relocation, Symbol, object_file


def hil_object(*arguments: str | Path) -> tuple[int, str]:
    """Exit status and output, as `hil` calls the command."""
    result = CliRunner().invoke(object_, [*map(str, arguments)], standalone_mode=False)
    assert result.exception is None, result.output
    return result.return_value, result.output


def test_programs_maps_and_what_a_kernel_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "probe.o"
    file.write_bytes(everything())
    status, output = hil_object(file)
    lines = [line.split() for line in output.splitlines()]
    assert status == 0
    assert output.startswith(f"{file}: little-endian, license GPL, version of the running kernel, 3 programs, 5 maps\n")
    assert ["one", "kprobe/f", "kprobe", "9", "kernel-types", "(1)"] in lines
    assert ["entry", "?fentry/f", "tracing", "2", "attach-type"] in lines
    assert ["outer", "array_of_maps", "4", "4", "4", "0x0", ".maps", "holds", "array:4:4:1;", "with", "hits"] in lines
    assert "of the kernel: CONFIG_HZ (int)" in output
    assert "twins, of which one is loaded: one, two, entry" in output


def test_json_has_the_lines_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "probe.o").write_bytes(everything())
    status, output = hil_object("--json", tmp_path / "probe.o")
    told: list[dict[str, Any]] = json.loads(output)
    assert status == 0
    (pending,) = told[0]["programs"][0]["pending"]
    assert (pending["reason"], pending["instruction"], pending["line"]) == ("kernel-types", 3, "probe.c:10")


def test_objects_within_a_program(tmp_path: Path) -> None:
    file = tmp_path / "tool"
    file.write_bytes(b"\x7fELF, some program" + moved() + bytes(100) + everything() + b"\x7fELF")
    status, output = hil_object(file)
    assert status == 0
    heads = [line for line in output.splitlines() if line.startswith(f"{file}@")]
    assert len(heads) == 2 and "@0x12: little-endian, license not told, no version, 1 program" in heads[0]


def test_what_is_refused_is_told_with_its_reason(tmp_path: Path) -> None:
    wrong = object_file(
        section("kprobe/f", ld_imm64(R1, 0), exit_()), symbols=(Symbol("gone", 0),), relocations=(Relocation(1, 0, 1),)
    )
    (tmp_path / "wrong.o").write_bytes(wrong)
    (tmp_path / "text").write_text("hello")
    status, output = hil_object(tmp_path / "wrong.o")
    assert status == 1
    assert "instruction 0 of kprobe/f refers to gone, defined nowhere (relocation type 1): the program refers" in output
    status, output = hil_object(tmp_path / "text", tmp_path / "wrong.o")
    assert status == 2
    assert "text: the file does not begin as an ELF file; give a BPF object file" in output and "wrong.o: " in output


def test_programs_adjusted_to_a_kernels_types(tmp_path: Path) -> None:
    types = Types()
    number = types.int()
    types.struct("other", 4, pid=(number, 0))
    (tmp_path / "without").write_bytes(types.content())
    types.struct("task_struct", 32, pid=(number, 64))
    for filler in range(6000):
        types.int(f"int{filler}")
    (tmp_path / "with").write_bytes(types.content())
    (tmp_path / "probe.o").write_bytes(everything())
    status, output = hil_object(tmp_path / "probe.o", "--types", tmp_path / "with")
    assert status == 0 and "kernel-types" not in output
    with pytest.raises(UserError, match="has no types"):
        CliRunner().invoke(
            object_, [str(tmp_path / "probe.o"), "--types", str(tmp_path / "without")], standalone_mode=False,
            catch_exceptions=False,
        )  # fmt: skip
