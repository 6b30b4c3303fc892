# SPDX-License-Identifier: MIT
"""What lockstep found in a kernel is not looked for again, but in another kernel it is."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.lockstep import kept
from harness.lockstep.dispatch import Dispatch
from hil import cache, directories
from hil.gdb import elf

FOUND = Dispatch(tuple(range(256)), 3, 5, -8)
MACHINE: Any = None


class Finder:
    """Finds the same each time, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> Dispatch:
        self.asked += 1
        return FOUND


def kernel_of(image: str) -> Any:
    return SimpleNamespace(name="k", arch="x86_64", provenance={"sha256": {"image": image}})


KERNEL, ANOTHER = kernel_of("ab"), kernel_of("cd")


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "cache", lambda: tmp_path / "cache")


def test_the_interpreter_is_searched_once_for_each_kernel() -> None:
    find = Finder()
    assert [kept.dispatch(KERNEL, find) for _ in range(3)] == [FOUND] * 3
    assert find.asked == 1
    assert kept.dispatch(ANOTHER, find) == FOUND
    assert find.asked == 2


def test_what_is_damaged_is_searched_again() -> None:
    find = Finder()
    kept.dispatch(KERNEL, find)
    (file,) = directories.cache().glob(f"symbols/*/{kept._FILE}")
    file.chmod(0o644)
    file.write_text(file.read_text().replace("255", "254"))
    assert kept.dispatch(KERNEL, find) == FOUND
    assert find.asked == 2


def test_where_nothing_can_be_kept_it_is_searched_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(folder: Path, *_: object) -> None:
        raise cache.Unusable(folder, errno.EROFS)

    monkeypatch.setattr(cache, "ensure", read_only)
    find = Finder()
    assert [kept.dispatch(KERNEL, find) for _ in range(2)] == [FOUND] * 2
    assert find.asked == 2


def test_symbols_are_those_that_are_needed_and_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = elf.Section(".text", 0x1000, 0x3000, executable=True)
    places = {"_stext": 0x1000, "___bpf_prog_run": 0x1100, "start_kernel": 0x1200, "_etext": 0x3000}
    (tmp_path / "vmlinux").write_bytes(
        elf.write("EM_X86_64", [text], [elf.Entry(name, place, 64, True) for name, place in places.items()])
    )
    read: list[object] = []

    def file(*_: object, **__: object) -> Path:
        read.append(None)
        return tmp_path / "vmlinux"

    monkeypatch.setattr(kept, "symbol_file", file)
    first, second = (kept.symbols(KERNEL, MACHINE, lambda _: None) for _ in range(2))
    assert first.symbols == second.symbols
    assert {one.name: (one.address, one.size) for one in first.symbols} == {
        name: (place, 64) for name, place in places.items() if name != "start_kernel"
    }
    assert len(read) == 1
