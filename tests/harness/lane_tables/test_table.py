# SPDX-License-Identifier: MIT
from pathlib import Path

from harness.lane_tables.table import COLUMNS, markdown, rows
from hil.arch import having
from hil.kernels import catalogue

PAGE = Path(__file__).resolve().parents[3] / "docs" / "lanes.md"


def test_the_page_is_what_catalogue_and_model_say_today() -> None:
    assert PAGE.read_text() == markdown(), "write it again: make pages"


def test_every_kernel_has_a_row_for_each_architecture() -> None:
    lanes = [cells[0] for cells in rows()]
    assert len(lanes) == len(set(lanes)) == sum(len(having(name)) for name in catalogue.entries())
    assert "`linux-4.1/arm64`" in lanes


def test_what_a_lane_cannot_do_comes_with_the_reason() -> None:
    kprobes = [column.heading for column in COLUMNS].index("programs on kprobes")
    refused = {cells[0]: cells[kprobes] for cells in rows() if not cells[kprobes].startswith("yes")}
    assert set(refused) == {"`linux-4.1/arm64`"}
    assert "4.8" in refused["`linux-4.1/arm64`"] and "EINVAL" in refused["`linux-4.1/arm64`"]
