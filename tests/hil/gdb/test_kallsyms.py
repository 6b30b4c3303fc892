# SPDX-License-Identifier: MIT
"""/proc/kallsyms as symbols."""

from __future__ import annotations

import pytest

from hil.errors import BenchError
from hil.gdb import kallsyms
from hil.gdb.table import Symbol


def test_functions_objects_and_modules() -> None:
    text = "ffffffff81000000 T _stext\nffffffff81000010 w weak_one\nffffffff82000000 d some_data\n"
    text += "ffffffffc0201050 t helper\t[virtio_ring]\n"
    assert list(kallsyms.parse(text)) == [
        Symbol("_stext", 0xFFFF_FFFF_8100_0000, True),
        Symbol("weak_one", 0xFFFF_FFFF_8100_0010, True),
        Symbol("some_data", 0xFFFF_FFFF_8200_0000, False),
        Symbol("helper", 0xFFFF_FFFF_C020_1050, True, "virtio_ring"),
    ]


@pytest.mark.parametrize("name", ["$x", "$d", "$x.3", "$d.17"])
def test_mapping_symbols_are_dropped(name: str) -> None:
    text = f"ffff800008010000 T _stext\nffff800008010000 t {name}\n"
    assert [symbol.name for symbol in kallsyms.parse(text)] == ["_stext"]


def test_the_error_for_withheld_addresses_names_the_sysctl() -> None:
    with pytest.raises(BenchError, match="kptr_restrict"):
        list(kallsyms.parse("0000000000000000 T _stext\n0000000000000000 T _etext\n"))
