# SPDX-License-Identifier: MIT
"""Symbol files, made from the files of a fake kernel."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from hil import directories
from hil.arch import Architecture, architecture
from hil.errors import BenchError, UserError
from hil.gdb.symbols import check_build, module_file, symbol_file
from hil.gdb.table import SymbolTable
from hil.kernels.kernel import Kernel
from hil.target import ByteStream, Completed

KALLSYMS = """\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000000 T startup_64
ffffffff81000100 t middle
ffffffff81000180 T last
ffffffff81000200 T _etext
ffffffff82000000 D variable
ffffffff83000000 T _sinittext
ffffffff83000000 T start_kernel
ffffffff83000040 T _einittext
ffffffffc0201010 t probe_it\t[virtio]
ffffffffc0202000 t remove_it\t[virtio]
"""
MODULES = "virtio 16384 0 - Live 0xffffffffc0200000\n"


class FakeTarget:
    """A target that answers `cat`, and records the files that were read."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.read: list[str] = []

    @property
    def arch(self) -> Architecture:
        return architecture("x86_64")

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        path = argv[1]
        self.read.append(path)
        if path not in self.files:
            return Completed(1, b"", f"cat: can't open '{path}'".encode())
        return Completed(0, self.files[path].encode(), b"")

    def open(self, argv: Sequence[str]) -> ByteStream:
        raise NotImplementedError


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    monkeypatch.setattr(directories, "cache", lambda: tmp_path / "cache")
    return Kernel(
        name="k",
        arch=architecture("x86_64"),
        folder=tmp_path,
        image=tmp_path / "image",
        config=tmp_path / "config",
        modules=None,
        vmlinux=None,
        system_map=None,
        release="6.1.0",
        version="6.1.0",
        era="6.1",
        provenance={"sha256": {"image": "ab" * 32}},
    )


def target(**changes: str) -> FakeTarget:
    return FakeTarget({"/proc/kallsyms": KALLSYMS, "/proc/modules": MODULES, **changes})


def test_sizes_come_from_the_next_symbol_and_end_with_the_section(kernel: Kernel) -> None:
    symbols = SymbolTable.of_elf(symbol_file(kernel, target()))
    sizes = {symbol.name: symbol.size for symbol in symbols.symbols}
    assert sizes["startup_64"] == 0x100
    assert sizes["last"] == 0x80
    assert sizes["probe_it"] == 0xFF0
    assert sizes["remove_it"] == 0x1000
    assert sizes["fixed_percpu_data"] == 0
    assert symbols.address("variable") == 0xFFFF_FFFF_8200_0000


def test_the_second_time_comes_from_the_cache(kernel: Kernel) -> None:
    first, second = target(), target()
    assert symbol_file(kernel, first) == symbol_file(kernel, second)
    assert "/proc/kallsyms" in first.read
    assert second.read == ["/proc/modules"]


def test_another_image_or_another_place_of_a_module_is_another_file(kernel: Kernel) -> None:
    moved = target(**{"/proc/modules": MODULES.replace("0200000", "0300000")})
    other = dataclasses.replace(kernel, provenance={"sha256": {"image": "cd" * 32}})
    assert len({symbol_file(kernel, target()), symbol_file(kernel, moved), symbol_file(other, target())}) == 3


def test_vmlinux_is_taken_where_there_is_one(kernel: Kernel, tmp_path: Path) -> None:
    guest = target()
    assert symbol_file(dataclasses.replace(kernel, vmlinux=tmp_path / "vmlinux"), guest) == tmp_path / "vmlinux"
    assert guest.read == []


def test_a_kernel_without_kallsyms_is_an_error(kernel: Kernel) -> None:
    guest = FakeTarget({"/proc/modules": ""})
    with pytest.raises(BenchError, match="CONFIG_KALLSYMS"):
        symbol_file(kernel, guest)
    assert not list((kernel.folder / "cache").rglob("*.elf"))


def test_modules_have_a_file_of_their_own_to_go_with_a_vmlinux(kernel: Kernel, tmp_path: Path) -> None:
    file = module_file(dataclasses.replace(kernel, vmlinux=tmp_path / "vmlinux"), target())
    assert [symbol.name for symbol in SymbolTable.of_elf(file).symbols] == ["probe_it", "remove_it"]


def test_a_vmlinux_of_another_build_is_refused(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = (struct.pack("<3I", 4, 4, 3) + b"GNU\0abcd").decode()
    monkeypatch.setattr("hil.kernels.vmlinux.build_id", lambda path: path.name)
    for same in ("61626364", ""):
        check_build(Path(same), kernel, target(**{"/sys/kernel/notes": notes}))
    with pytest.raises(UserError, match="of another build than k/x86_64: its build ID is other, the kernel's 61626"):
        check_build(Path("other"), kernel, target(**{"/sys/kernel/notes": notes}))
