"""Everything that is kept by architecture: all of it has all of them, and a new one is told where to go next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from harness.abi import pt_regs, system_calls
from harness.model import reading
from harness.model.architecture import ARCHITECTURES, architecture_rules
from harness.model.environment import Environment
from harness.model.eras import era
from hil.arch import architecture, architectures
from hil.errors import UserError
from hil.gdb import registers
from hil.kernels.building import recipe

NEW = replace(architecture("arm64"), name="riscv64")
LATEST = era("6.1", "arm64").latest


TABLES: dict[str, tuple[Mapping[str, object], Callable[[str], object]]] = {
    "harness/abi/system_calls.py": (system_calls.NUMBERS, lambda arch: system_calls.number(arch, "bpf")),
    "harness/abi/pt_regs.py": (pt_regs.LAYOUTS, lambda arch: pt_regs.pt_regs(arch, "6.1")),
    "harness/model/architecture.py": (ARCHITECTURES, architecture_rules),
    "harness/model/reading.py": (reading.ALIKE, lambda arch: reading._half(Environment("6.1", arch, LATEST), 1 << 40)),
    "hil/gdb/registers.py": (registers.REGISTERS, registers.register_file),
    "images/kernels/linux-4.1/toolchain.toml": (
        architectures(),
        lambda arch: recipe.load("linux-4.1", replace(NEW, name=arch)),
    ),
}
"""By the file a row goes into: the rows, and what asks for one."""


@pytest.mark.parametrize("file", TABLES)
def test_every_table_has_every_architecture(file: str) -> None:
    rows, ask = TABLES[file]
    assert rows.keys() == architectures().keys()
    for arch in architectures():
        ask(arch)


@pytest.mark.parametrize("file", TABLES)
def test_a_new_architecture_is_told_the_file_it_is_not_in(file: str) -> None:
    _, ask = TABLES[file]
    with pytest.raises(UserError, match=NEW.name) as error:
        ask(NEW.name)
    assert file in str(error.value), "names the file to add to"
    assert error.value.remedy


def test_system_calls_are_the_same_everywhere() -> None:
    names = {arch: set(numbers) for arch, numbers in system_calls.NUMBERS.items()}
    assert len(set(map(frozenset, names.values()))) == 1
    with pytest.raises(UserError, match=r"system_calls.py has no number of reboot for the architecture arm64"):
        system_calls.number("arm64", "reboot")
