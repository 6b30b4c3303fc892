# SPDX-License-Identifier: MIT
"""Names of functions in a running kernel."""

from __future__ import annotations

import subprocess

import pytest

from harness.check.symbols import _ends, choose, parse, stem

KALLSYMS = """\
ffffffff81000010 T __x64_sys_openat
ffffffff81000020 T __pfx___x64_sys_openat
ffffffff81000030 t tcp_close.isra.0
ffffffff81000040 t twice
ffffffff81000050 t twice
ffffffff81000060 D openat_data
ffffffffc0000010 t helper\t[module]
ffffffff81000070 T __blk_account_io_done
"""


def test_functions_are_read_with_their_modules() -> None:
    names = {one.name: one.module for one in parse(KALLSYMS)}
    assert names["helper"] == "module"
    assert "openat_data" not in names


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("sys_openat", ("__x64_sys_openat",)),
        ("SyS_openat", ("__x64_sys_openat",)),
        ("tcp_close", ("tcp_close.isra.0",)),
        ("blk_account_io_done", ("__blk_account_io_done",)),
        ("nothing_like_it", ()),
    ],
)
def test_the_nearest_names_are_found(name: str, near: tuple[str, ...]) -> None:
    assert choose(parse(KALLSYMS), [name])[name].near == near


@pytest.mark.parametrize("name", ["openat_dat[", "(openat", "a+b", "a\\b", "]a["])
def test_a_pattern_of_what_nearly_has_a_name_takes_it_for_itself(name: str) -> None:
    """As grep -E does, to which it goes."""
    lines = f"ffffffff81000010 T {name}\nffffffff81000020 T another\n"
    done = subprocess.run(["grep", "-E", _ends(name)], input=lines, capture_output=True, text=True, check=True)
    assert done.stdout == lines.splitlines(keepends=True)[0] and not done.stderr


def test_all_of_one_name_are_found() -> None:
    assert [one.address for one in choose(parse(KALLSYMS), ["twice"])["twice"].same] == [
        0xFFFFFFFF81000040,
        0xFFFFFFFF81000050,
    ]


def test_names_of_one_function_have_a_stem_in_common() -> None:
    assert {stem(name) for name in ("sys_read", "SyS_read", "__x64_sys_read", "__se_sys_read", "do_sys_read")} == {
        "read"
    }
