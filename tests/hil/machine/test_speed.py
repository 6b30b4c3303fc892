# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from hil.errors import UserError
from hil.machine import speed


def test_override_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIL_TIME_SCALE", "0.25")
    assert speed.scale() == 0.25


@pytest.mark.parametrize("text", ["fast", "0", "-1", "nan", "inf"])
def test_bad_override_is_the_users_mistake(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIL_TIME_SCALE", text)
    with pytest.raises(UserError, match="HIL_TIME_SCALE"):
        speed.scale()


def test_measured_scale_never_shortens_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIL_TIME_SCALE", raising=False)
    assert speed.scale() >= 1


def test_slow_and_busy_hosts_get_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIL_TIME_SCALE", raising=False)
    monkeypatch.setattr(speed, "slowness", lambda: 3.0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: (6.0, 0.0, 0.0))
    assert speed.scale() == 9


def test_a_load_without_bound_gives_no_deadline_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIL_TIME_SCALE", raising=False)
    monkeypatch.setattr(speed, "slowness", lambda: 1.0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("os.getloadavg", lambda: (5000.0, 0.0, 0.0))
    assert speed.scale() == speed.MOST_LOAD
