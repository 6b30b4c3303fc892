# SPDX-License-Identifier: MIT
"""The choice of the method to unwind by the configuration of the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.gdb.table import Symbol, SymbolTable
from hil.gdb.unwind.choice import METHODS, Facts, method

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
    symbols = SymbolTable(Symbol(symbol, 0x1000, False) for symbol in TABLES if tables)
    assert method(Facts.of(arch, "6.1.0", tmp_path / "config", symbols)).name == name


def test_every_method_has_a_reason() -> None:
    assert all(row.why for row in METHODS)
