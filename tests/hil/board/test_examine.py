# SPDX-License-Identifier: MIT
"""What a board says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.board.examine import count_cpus, examine
from hil.errors import UserError
from tests.fakes import CONFIG
from tests.hil.board.this_host import ThisHost


@pytest.mark.parametrize(("ranges", "cpus"), [("0", 1), ("0-3", 4), ("0-1,4-7,9", 7)])
def test_cpus_are_counted(ranges: str, cpus: int) -> None:
    assert count_cpus(ranges) == cpus


def test_a_run_keeps_the_configuration_that_it_read(
    host: ThisHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run may find another one at the same address, or be given another one."""
    monkeypatch.setattr("hil.directories.state", lambda: tmp_path / "state")
    given = tmp_path / "one", tmp_path / "other"
    for file in given:
        file.write_text(f"CONFIG_X86_64=y\nCONFIG_LOCALVERSION={file.name}\n{CONFIG.read_text()}")
    found = [examine(host.board, host.ssh_config, file).kernel.config for file in given]
    assert [file.read_text() for file in found] == [file.read_text() for file in given]


def test_a_file_that_is_no_configuration_is_named(
    host: ThisHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hil.directories.state", lambda: tmp_path / "state")
    with pytest.raises(UserError, match=f"^{CONFIG} is no kernel configuration"):
        examine(host.board, host.ssh_config, CONFIG)
