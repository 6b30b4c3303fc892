# SPDX-License-Identifier: MIT
"""Programs of object files in tests: what is told of those that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.objects.reader import read
from harness.pytest_plugin.objects import MapHandle, choose, resolve
from hil.errors import UserError
from tests.harness.objects.probes import probe

FILE = read(probe())


def test_an_object_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "probe.o").touch()
    assert resolve("probe.o", tmp_path) == tmp_path / "probe.o"
    with pytest.raises(UserError, match=r"no object prob\.o.*did you mean 'probe\.o'"):
        resolve("prob.o", tmp_path)


def test_a_section_that_is_not_there_is_told_with_the_nearest() -> None:
    assert choose("probe.o", FILE.programs, None).section == "kprobe/cap_task_prctl"
    with pytest.raises(UserError, match="did you mean 'kprobe/cap_task_prctl'"):
        choose("probe.o", FILE.programs, "kprobe/cap_task_prct")


def test_a_number_is_written_in_the_size_of_keys_and_values() -> None:
    hits = MapHandle(FILE.maps[0])
    assert hits.update(1, 2).key == b"\1\0\0\0" and hits.lookup().value_size == 8
    with pytest.raises(UserError, match="does not fit into a key of hits: 4 bytes"):
        hits.delete(1 << 32)
