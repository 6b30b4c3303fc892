# SPDX-License-Identifier: MIT
"""Everything that is kept by architecture: all of it has all of them, and a new one is told where to go next."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.abi import pt_regs, system_calls
from harness.lane import Engine
from harness.model.architecture import ARCHITECTURES, architecture_rules
from harness.objects.kernel_types import UNPACKING
from hil import resources
from hil.arch import Architecture, architecture, architectures, architectures_with
from hil.doctor.programs import TOOLS
from hil.errors import UserError
from hil.gdb import registers
from hil.gdb.unwind import choice
from hil.kernels import catalogue
from hil.kernels.building import recipe
from hil.kernels.catalogue import Tarball
from tests.harness.abi import headers

HOST_PACKAGES = Path(__file__).parents[2] / "ci" / "host-packages.txt"
NEW = replace(architecture("arm64"), name="s390x")


@dataclass(frozen=True)
class Table:
    """What has a row, what asks for the one of an architecture, and which must have one."""

    rows: Collection[str]
    ask: Callable[[str], object]
    wanted: Collection[str] = tuple(architectures())


def recipes() -> Iterator[tuple[str, Table]]:
    """How kernels are built that come as sources, for the architectures that there is the kernel for."""
    for name in (name for name, known in catalogue.entries().items() if isinstance(known.source, Tarball)):
        file = f"images/kernels/{name}/toolchain.toml"
        path = resources.folder("images") / "kernels" / name / "toolchain.toml"
        rows = tomllib.loads(path.read_text())["architecture"]
        wanted = {arch.name for arch in architectures_with(name)}
        yield file, Table(rows.keys(), lambda arch, name=name: recipe.load(name, replace(NEW, name=arch)), wanted)


TABLES = {
    "harness/abi/system_calls.py": Table(system_calls.NUMBERS, lambda arch: system_calls.number(arch, "bpf")),
    "harness/abi/pt_regs.py": Table(pt_regs.LAYOUTS, lambda arch: pt_regs.pt_regs(arch, "6.12")),
    "harness/model/architecture.py": Table(ARCHITECTURES, architecture_rules),
    "hil/gdb/registers.py": Table(registers.REGISTERS, registers.register_file),
    "hil/gdb/unwind/choice.py": Table(choice.CHAINS, choice.chains),
    "tests/harness/abi/headers.py": Table(headers.REGISTERS, headers.registers),
    **dict(recipes()),
}
"""By the file a row goes into. That a row of images/architectures.toml is complete is asked where it is read."""


@pytest.mark.parametrize("file", TABLES)
def test_every_table_has_every_architecture(file: str) -> None:
    table = TABLES[file]
    assert set(table.rows) == set(table.wanted), f"add to {file} what it has of the others"
    for arch in table.wanted:
        table.ask(arch)


@pytest.mark.parametrize("file", TABLES)
def test_a_new_architecture_is_told_the_file_it_is_not_in(file: str) -> None:
    with pytest.raises(UserError, match=NEW.name) as error:
        TABLES[file].ask(NEW.name)
    assert file in str(error.value), "names the file to add to"
    assert error.value.remedy


@pytest.mark.parametrize("arch", architectures().values(), ids=str)
def test_the_hosts_packages_have_what_every_architecture_takes(arch: Architecture) -> None:
    packages = {line.partition("#")[0].split(" ")[0] for line in HOST_PACKAGES.read_text().splitlines()}
    assert {arch.qemu_package, arch.gcc_package} <= packages, "add them to ci/host-packages.txt"


def test_the_hosts_packages_have_every_program_that_anything_is_unpacked_by() -> None:
    packages = {line.partition("#")[0].split(" ")[0] for line in HOST_PACKAGES.read_text().splitlines()}
    tools = {name: tool.package for tool in TOOLS for name in tool.names}
    assert {tools[name] for name in UNPACKING} <= packages
    assert {tool.package for tool in TOOLS} - {"apt", "dpkg"} <= packages, "every Debian has these two"


def test_system_calls_are_the_same_everywhere() -> None:
    names = {arch: set(numbers) for arch, numbers in system_calls.NUMBERS.items()}
    assert len(set(map(frozenset, names.values()))) == 1
    with pytest.raises(UserError, match=r"system_calls.py has no number of reboot for the architecture arm64"):
        system_calls.number("arm64", "reboot")


@pytest.mark.guest
def test_programs_run_on_an_architecture_that_the_default_kernel_lacks(tmp_path: Path) -> None:
    """A probe that is hit, with each engine; all else of riscv64 is for who asks for its lanes."""
    choice = ("--lanes", "debian-sid/riscv64", "--scripts", "counting", "--output", str(tmp_path))
    done = subprocess.run([sys.executable, "-m", "hil", "run", *choice], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "latest" / "results.json").read_text())["results"]
    lanes = [f"debian-sid/riscv64/{engine}" for engine in Engine]
    assert [(one["lane"], one["verdict"]) for one in results] == [(lane, "agree") for lane in lanes]
