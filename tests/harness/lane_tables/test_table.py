# SPDX-License-Identifier: MIT
from pathlib import Path

import pytest

from harness.lane_tables.table import COLUMNS, imported, markdown, rows
from hil.arch import architectures_with
from hil.kernels import catalogue, importing
from hil.kernels.entry import Parts
from tests.hil.kernels.conftest import bzimage, configuration

PAGE = Path(__file__).resolve().parents[3] / "docs" / "lanes.md"


def test_the_page_is_what_catalogue_and_model_say_today() -> None:
    assert PAGE.read_text() == markdown(), "write it again: make pages"


def test_every_kernel_has_a_row_for_each_architecture() -> None:
    lanes = [cells[0] for cells in rows()]
    assert len(lanes) == len(set(lanes)) == sum(len(architectures_with(name)) for name in catalogue.entries())
    assert "`linux-4.1/arm64`" in lanes


def test_what_a_lane_cannot_do_comes_with_the_reason() -> None:
    kprobes = [column.heading for column in COLUMNS].index("programs on kprobes")
    refused = {cells[0]: cells[kprobes] for cells in rows() if not cells[kprobes].startswith("yes")}
    assert set(refused) == {"`linux-4.1/arm64`", "`debian-13/riscv64`"}
    assert "ftrace" in refused["`debian-13/riscv64`"] and "EINVAL" in refused["`debian-13/riscv64`"]
    assert "4.8" in refused["`linux-4.1/arm64`"] and "EINVAL" in refused["`linux-4.1/arm64`"]


def test_a_users_own_kernels_are_listed_by_the_records_they_are_judged_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert imported() == ()
    (tmp_path / "image").write_bytes(bzimage("4.9.337"))
    (tmp_path / "config").write_text(configuration("x86_64", "4.9.337"))
    importing.add("mine", Parts(tmp_path / "image", tmp_path / "config"))
    (cells,) = imported()
    told = dict(zip((column.heading for column in COLUMNS), cells, strict=True))
    assert (told["lane"], told["kernel from"]) == ("`mine/x86_64`", "imported")
    assert told["programs a probe"] == "1", "64 came with 4.15"
    assert "mine" not in markdown()
