# SPDX-License-Identifier: MIT
"""What a campaign's process keeps from one range of cases to the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from harness.fuzz.campaign import warm
from harness.lowering.context import Guest
from harness.session import QUIET, Bootable
from hil.errors import MachineLost
from tests.fakes import FakeExecutor, FakeTarget, fake_kernel, fake_session

BOOTABLE = Bootable(fake_kernel(), cast(Any, None))
KERNEL, ARCH = BOOTABLE.kernel.name, BOOTABLE.kernel.arch.name


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> FakeTarget:
    made = FakeTarget()

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[Any]:
        session = fake_session(FakeExecutor(made, Guest.of(fake_kernel())))
        with session.target:
            yield session

    monkeypatch.setattr(warm, "open_session", opened)
    return made


def test_what_a_running_machine_was_made_of_is_not_prepared_again(target: FakeTarget, tmp_path: Path) -> None:
    kept = warm.Kept()
    assert kept.ready(KERNEL, ARCH) is None
    with kept.session(BOOTABLE, tmp_path / "one", QUIET, cold=False):
        pass
    assert kept.ready(KERNEL, ARCH) is BOOTABLE
    assert kept.ready(KERNEL, "another") is None
    kept.close()
    assert kept.ready(KERNEL, ARCH) is None


def test_files_are_looked_at_again_for_another_machine(
    target: FakeTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = warm.Kept()
    with kept.session(BOOTABLE, tmp_path / "one", QUIET, cold=False):
        pass
    assert kept.current is not None
    monkeypatch.setattr(type(kept.current.target), "alive", False)
    assert kept.ready(KERNEL, ARCH) is None


def test_files_of_a_machine_to_which_nothing_happened_go(target: FakeTarget, tmp_path: Path) -> None:
    kept = warm.Kept()
    with kept.session(BOOTABLE, tmp_path / "one", QUIET, cold=False):
        (tmp_path / "one" / "console.log").touch()
    kept.close()
    assert not (tmp_path / "one").exists()


@pytest.mark.parametrize("dead", [True, False])
def test_files_of_a_machine_that_is_gone_or_was_at_fault_stay(
    dead: bool, target: FakeTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = warm.Kept()
    with kept.session(BOOTABLE, tmp_path / "one", QUIET, cold=False):
        (tmp_path / "one" / "console.log").touch()
    if dead:
        assert kept.current is not None
        monkeypatch.setattr(type(kept.current.target), "alive", False)
    kept.close(keep=not dead)
    assert (tmp_path / "one" / "console.log").exists()


def test_files_of_a_machine_that_does_not_boot_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(_: object, folder: Path, *__: object, **___: object) -> None:
        (folder / "console.log").touch()
        raise MachineLost("it panicked")

    monkeypatch.setattr(warm, "open_session", opened)
    kept = warm.Kept()
    with pytest.raises(MachineLost), kept.session(BOOTABLE, tmp_path / "one", QUIET, cold=False):
        pass
    kept.close()
    assert (tmp_path / "one" / "console.log").exists()
