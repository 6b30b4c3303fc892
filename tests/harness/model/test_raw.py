"""bpf(2) with whatever a caller hands over: what is looked at first, by era."""

from __future__ import annotations

import pytest

from harness.script.operations import Buffer, LookupElement, Part, RawBpf, Ref
from tests.harness.model.scripts import MAP, last, read, results, u64

HASH_MAP = (Part(0, 4, 1), Part(4, 4, 4), Part(8, 4, 8), Part(12, 4, 1))
KERNEL = 0xFFFF_FFFF_FFFF_0000
SIZES = {"4.1": 48, "5.10": 120, "6.1": 144, "6.12": 152, "7.2": 168}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (RawBpf(0, HASH_MAP), "ok"),
        (RawBpf(0, HASH_MAP, size=16, length=16), "ok"),
        (RawBpf(0, HASH_MAP, size=4096), "ok"),
        (RawBpf(0, HASH_MAP, size=4097), "E2BIG"),
        (RawBpf(0, HASH_MAP, size=512, length=256), "EFAULT"),
        (RawBpf(0, size=0), "EINVAL"),
        (RawBpf(0, address=0), "EFAULT"),
        (RawBpf(1000), "EINVAL"),
        (RawBpf(1000, size=48, length=8), "EFAULT"),
        (RawBpf(3, (Part(0, 4, -1), Part(16, 8, 1))), "EINVAL"),
        (RawBpf(3, (Part(0, 4, -1),)), "EBADF"),
    ],
)
@pytest.mark.parametrize("era", SIZES)
def test_what_comes_before_the_command(call: RawBpf, said: str, era: str) -> None:
    assert last(call, name=era) == said


@pytest.mark.parametrize(("era", "size"), SIZES.items())
def test_bytes_beyond_the_union_must_be_zero(era: str, size: int) -> None:
    assert last(RawBpf(2, (Part(size, 1, 1),), size=size + 8), name=era) == "E2BIG"
    assert last(RawBpf(2, (Part(0, 4, -1), Part(size - 1, 1, 1)), size=size + 8), name=era) == "EINVAL"


def test_the_first_era_looks_at_the_address_before_the_size() -> None:
    call = RawBpf(0, size=5000, address=KERNEL)
    assert last(call, name="4.1") == "EFAULT"
    assert last(call, name="5.10") == "E2BIG"


def test_a_union_may_be_as_large_as_a_page_of_the_guest() -> None:
    assert last(RawBpf(0, HASH_MAP, size=65536), page_size=65536) == "ok"
    assert last(RawBpf(0, HASH_MAP, size=65537), page_size=65536) == "E2BIG"


def test_an_update_reaches_the_map() -> None:
    key, value = Buffer(bytes(4)), Buffer(u64(7))
    parts = (Part(0, 4, Ref("map")), Part(8, 8, key), Part(16, 8, value))
    assert results(MAP, RawBpf(2, parts), read())[1:] == [0, 0]
    assert last(MAP, RawBpf(2, (*parts, Part(24, 8, 3)))) == "EINVAL"
    assert last(MAP, RawBpf(2, (*parts[:2], Part(16, 8, 0), Part(24, 8, 3)))) == "EFAULT"


def test_what_cannot_be_known_puts_the_map_in_doubt() -> None:
    somewhere = (Part(0, 4, Ref("map")), Part(8, 8, Buffer(bytes(4))), Part(16, 8, 0x10000))
    assert results(MAP, RawBpf(2, somewhere), LookupElement(Ref("map"), bytes(4), 8))[1:] == ["?", "?"]
