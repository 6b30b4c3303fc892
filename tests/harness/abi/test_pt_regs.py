# SPDX-License-Identifier: MIT
"""Layouts of struct pt_regs against section 11 of the facts, spot by spot."""

from __future__ import annotations

import pytest

from harness.abi.pt_regs import LAYOUTS, pt_regs
from harness.model.eras import eras_of
from hil.errors import UserError


def test_every_architecture_has_a_layout_in_every_release() -> None:
    assert all(pt_regs(arch, era).size % 16 in (0, 8) for arch in LAYOUTS for era in eras_of(arch))


def test_x86_64() -> None:
    layout = pt_regs("x86_64", "4.1")
    assert layout.size == 168
    assert [layout.argument(index) for index in range(6)] == [112, 104, 96, 88, 72, 64]
    assert layout.offsets[layout.returns] == 80
    assert (layout.offsets["ip"], layout.offsets["sp"], layout.offsets["orig_ax"]) == (128, 152, 120)


@pytest.mark.parametrize(("era", "size"), [("4.1", 304), ("5.10", 336), ("6.1", 336), ("6.12", 336), ("7.2", 320)])
def test_arm64(era: str, size: int) -> None:
    layout = pt_regs("arm64", era)
    assert layout.size == size
    assert [layout.argument(index) for index in range(8)] == [8 * index for index in range(8)]
    assert (layout.offsets[layout.sp], layout.offsets[layout.ip]) == (248, 256)


def test_an_unknown_era_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match=r"no layout .* era 3\.19"):
        pt_regs("x86_64", "3.19")


@pytest.mark.parametrize("index", [-1, 6])
def test_an_argument_that_no_register_holds_is_told_with_how_they_are_counted(index: int) -> None:
    with pytest.raises(UserError, match=rf"no register holds argument {index} .*from 0; di, si, .* hold 0 to 5"):
        pt_regs("x86_64", "6.1").argument(index)
