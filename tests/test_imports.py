# SPDX-License-Identifier: MIT
"""Imports go one way: from what says how a thing is done to what says what it is, never back."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = (
    ("release", "lane", "abi", "counting"),
    ("isa", "script"),
    ("core_scripts", "clauses", "lowering", "model", "objects"),
    ("programs", "compare", "crosscheck", "difference", "judged", "session", "lockstep", "postmortem"),
    ("run",),
    ("history", "report", "regress", "lane_tables"),
    ("jobs",),
    (
        "named",
        "check",
        "loader",
        "keep",
        "conform",
        "fuzz",
        "kernel_bugs",
        "bisect",
        "debug",
        "bpf_conformance",
        "benchmarks",
        "pytest_plugin",
        "testing",
    ),
)
"""Packages and modules of `harness`, the lowest first; a layer may import what is in it or below."""
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMMANDS = {
    entry.split(":")[0]
    for entry in (*_PROJECT["entry-points"]["hil.commands"].values(), *_PROJECT["scripts"].values())
    if entry.startswith("harness.")
}
"""Modules of subcommands: the highest layer, whatever folder they are in. They put together what the others are to be
handed, and nobody imports them."""


def imports() -> Iterator[tuple[str, str]]:
    """Every module of both packages with every module of them that it imports."""
    for package in ("hil", "harness"):
        for file in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for node in ast.walk(ast.parse(file.read_text())):
                match node:
                    case ast.ImportFrom(module=str(name), names=names):
                        yield from ((module, f"{name}.{one.name}") for one in names)
                    case ast.Import(names=names):
                        yield from ((module, one.name) for one in names)


def layer(module: str) -> int | None:
    """The place of a module of `harness` in `LAYERS`, None for what is none of it."""
    if module in COMMANDS:
        return len(LAYERS)
    parts = module.split(".")
    if parts[0] != "harness" or len(parts) == 1:
        return None
    return next((place for place, names in enumerate(LAYERS) if parts[1] in names), None)


def test_hil_knows_nothing_of_harness() -> None:
    assert not [(one, other) for one, other in imports() if one.startswith("hil") and other.startswith("harness")]


def test_every_package_has_its_layer() -> None:
    packages = {path.stem for path in (ROOT / "harness").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert packages - {"__init__", "__pycache__"} == {name for names in LAYERS for name in names}


def test_imports_go_down() -> None:
    up = {
        (one, ".".join(other.split(".")[:2]))
        for one, other in imports()
        if (mine := layer(one)) is not None and (theirs := layer(other)) is not None and theirs > mine
    }
    assert not up, f"these go up: {sorted(up)}"


def test_nobody_imports_a_command() -> None:
    """What others want of a command is in a module of its own."""
    theirs = tuple(f"{command}." for command in COMMANDS)
    assert not [
        (one, other)
        for one, other in imports()
        if f"{other}.".startswith(theirs) and not one.endswith(".__main__")  # which is the same command
    ]


@pytest.mark.parametrize("package", ["abi", "isa", "script", "model"])
def test_what_a_program_means_knows_no_machine(package: str) -> None:
    """Nothing below the comparison knows whether it talks to QEMU, a board or the model."""
    machines = [
        (one, other)
        for one, other in imports()
        if one.startswith(f"harness.{package}") and other.startswith(("hil.machine", "hil.gdb", "hil.guestroot"))
    ]
    assert not machines
