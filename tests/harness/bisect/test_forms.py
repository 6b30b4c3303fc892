# SPDX-License-Identifier: MIT
"""What is bisected, by its name or in an object file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.bisect.forms import form_of
from harness.isa.assemble import R0, R1, exit_, mov64_imm
from harness.isa.instruction import Instruction
from harness.script.operations import Attach, LoadProgram
from hil.arch import architecture
from hil.errors import UserError
from hil.kernels import store
from tests.fakes import fake_kernel
from tests.harness.objects.building import section
from tests.harness.programs.elf import FUNC, Section, Symbol, object_file

ODD_DIVISION = Instruction(0x3F, R0, R1, -1)
BODY = (mov64_imm(R0, 10), mov64_imm(R1, 3), ODD_DIVISION, exit_())


def an_object(*programs: str) -> bytes:
    """An object with programs of such names, one a section."""
    sections = [section(f"kprobe/{name}", *BODY) for name in programs]
    symbols = [Symbol(name, index + 1, FUNC, size=8 * len(BODY)) for index, name in enumerate(programs)]
    return object_file(*sections, Section("license", b"GPL\0"), symbols=tuple(symbols))


def point(name: str) -> Any:
    """As much of a point release as a form asks for."""
    return SimpleNamespace(name=name, arch=architecture("x86_64"))


@pytest.fixture(autouse=True)
def kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(name: str, arch: Any) -> Any:
        return fake_kernel(name, arch.name)

    monkeypatch.setattr(store, "get", get)
    monkeypatch.setattr(store, "cached_as", lambda _: "")


def test_a_name_has_one_form_for_all() -> None:
    form, one_for_all = form_of("counting")
    assert one_for_all and form(point("debian-12")).name == "counting"
    with pytest.raises(UserError, match="there is no script"):
        form_of("no-such-script")[0](point("debian-12"))


def test_the_program_of_an_object_is_tried_on_each_kernel(tmp_path: Path) -> None:
    file = tmp_path / "probe.o"
    file.write_bytes(an_object("cap_task_prctl"))
    for what in (str(file), f"{file}:cap_task_prctl"):
        form, one_for_all = form_of(what)
        script = form(point("debian-12"))
        assert not one_for_all and script.name == "probe.o:cap_task_prctl"
        (load,) = (one for one in script.operations if isinstance(one, LoadProgram))
        assert ODD_DIVISION in load.program.instructions
        assert any(isinstance(one, Attach) for one in script.operations)


def test_which_of_several_programs_has_to_be_said(tmp_path: Path) -> None:
    file = tmp_path / "probe.o"
    file.write_bytes(an_object("one", "two"))
    assert form_of(f"{file}:two")[0](point("debian-12")).name == "probe.o:two"
    for what, words in ((str(file), "2 programs are meant"), (f"{file}:three", "0 programs are meant")):
        with pytest.raises(UserError, match=words) as error:
            form_of(what)[0](point("debian-12"))
        assert "one, two" in str(error.value.remedy)


def test_a_file_without_objects_is_no_object(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text("no object")
    with pytest.raises(UserError):
        form_of(str(file))
