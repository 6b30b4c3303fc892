# SPDX-License-Identifier: MIT
"""Which machine registers a program's are in, tried with a gdb that is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harness.lockstep.inside import PRIVATE
from harness.lockstep.registers import jit_register_names, private_stack_register

IMAGE, OTHER = range(0x1000, 0x1040), range(0x2000, 0x2040)
CODE = {IMAGE.start: b"\x90" * 8 + PRIVATE + b"\x90" * 51, OTHER.start: b"\x90" * 64}


class Gdb(ModuleType):
    """A module with a class for whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        return type(name, (), {})


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module, in a Python that seems to be gdb's; nothing of that stays."""
    before = set(sys.modules)
    monkeypatch.setitem(sys.modules, "gdb", Gdb("gdb"))
    found = import_module("harness.debug.inside.place")
    monkeypatch.setattr(import_module("harness.debug.inside.loaded"), "memory", lambda at, size: CODE[at][:size])
    yield found
    for name in set(sys.modules) - before:
        if name.startswith("harness.debug.inside"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("era", "function", "register"),
    [("6.12", IMAGE, "rbp"), ("6.13", IMAGE, "r9"), ("6.13", OTHER, "rbp"), ("7.2", IMAGE, "r9")],
)
def test_where_r10_is(place: Any, monkeypatch: pytest.MonkeyPatch, era: str, function: range, register: str) -> None:
    loaded_type = import_module("harness.debug.inside.loaded").Loaded
    loaded = loaded_type(0, SimpleNamespace(), 0, 0, 0, [], (), [IMAGE, OTHER])
    data = SimpleNamespace(
        registers=jit_register_names("x86_64", era), private=private_stack_register("x86_64", era), interpreter=None
    )
    session = SimpleNamespace(data=data)
    values = {"pc": function.start + 32} | {name: number for number, name in enumerate(("rbp", "r9"), 7)}
    monkeypatch.setattr(place, "register", lambda name: values.get(name, 0))
    here = place.Place(loaded, (3,))
    assert place.machine_registers(session, here)[10] == register
    assert place.registers(session, here)[10] == values[register]
    assert place.registers(session, place.Place(loaded, (0,), entry=True))[10] is None
