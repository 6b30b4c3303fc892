# SPDX-License-Identifier: MIT
"""Numbers of the kernel's interface stand in `harness.abi` only, where the headers prove them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import harness
from harness.abi import bpf, numbers, perf
from tests.harness.abi.headers import constants

ROOT = Path(harness.__file__).parent


def assigned(tree: ast.AST) -> Iterator[str]:
    """The names that get a value written as a number."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and not any(isinstance(inner, ast.Name) for inner in ast.walk(node.value)):
            for target in node.targets:
                yield from (name.id for name in ast.walk(target) if isinstance(name, ast.Name))


def test_no_other_module_writes_one_again() -> None:
    prefixed = {f"F_{flag.name}" for flag in bpf.MapFlag} | {f"PERF_{name}" for name, _ in constants(perf)}
    known = {name for module in (numbers, bpf) for name, _ in constants(module)} | prefixed
    known |= {f"BPF_{name}" for name in known}
    for place in ROOT.rglob("*.py"):
        if place.parent != ROOT / "abi":
            again = known & set(assigned(ast.parse(place.read_text())))
            assert not again, f"{place}: {', '.join(again)} stands in harness/abi"
