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
