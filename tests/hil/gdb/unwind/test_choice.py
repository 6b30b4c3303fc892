# SPDX-License-Identifier: MIT
"""The choice of the method to unwind by the configuration of the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.arch import architecture
from hil.gdb.table import Symbol, SymbolTable
from hil.gdb.unwind.choice import METHODS, method
from hil.kernels.kernel import Kernel

TABLES = ("__start_orc_unwind_ip", "__stop_orc_unwind_ip", "__start_orc_unwind", "schedule")
ORC, FP = "CONFIG_UNWINDER_ORC=y", "CONFIG_FRAME_POINTER=y"


@pytest.mark.parametrize(
    ("arch", "option", "tables", "name"),
    [
        ("x86_64", ORC, True, "ORC"),
        ("x86_64", ORC, False, "gdb"),
        ("x86_64", FP, False, "frame pointers"),
        ("x86_64", "# CONFIG_FRAME_POINTER is not set", False, "gdb"),
        ("riscv64", FP, False, "frame pointers"),
        ("riscv64", "# CONFIG_FRAME_POINTER is not set", False, "gdb"),
        ("arm64", FP, False, "frame pointers"),
        ("arm64", "# CONFIG_FRAME_POINTER is not set", False, "frame pointers"),
    ],
)
def test_choice(tmp_path: Path, arch: str, option: str, tables: bool, name: str) -> None:
    (tmp_path / "config").write_text(f"# Linux\n{option}\n")
    kernel = Kernel(
        name="k",
        arch=architecture(arch),
        folder=tmp_path,
        image=tmp_path / "image",
        config=tmp_path / "config",
        modules=None,
        vmlinux=None,
        system_map=None,
        release="6.1.0",
        version="6.1.0",
        era="6.1",
        provenance={},
    )
    symbols = SymbolTable(Symbol(symbol, 0x1000, False) for symbol in TABLES if tables)
    assert method(kernel, symbols)[0].name == name


def test_every_method_has_a_reason() -> None:
    assert all(row.why for row in METHODS)
