# SPDX-License-Identifier: MIT
"""bpf(2) with whatever a caller hands over: what is looked at first, by era."""

from __future__ import annotations

import pytest

from harness.script.operations import Buffer, CreateMap, LookupElement, MapType, Part, RawBpf, Ref
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


def guarded(content: bytes) -> Buffer:
    return Buffer(content, guarded=True)


@pytest.mark.parametrize("era", SIZES)
@pytest.mark.parametrize(
    ("command", "key", "value", "said"),
    [
        (1, guarded(bytes(4)), guarded(bytes(8)), 0),
        (1, guarded(bytes(3)), guarded(bytes(8)), "EFAULT"),
        (1, guarded(bytes(4)), guarded(bytes(7)), "EFAULT"),
        (2, guarded(bytes(3)), guarded(bytes(8)), "EFAULT"),
        (2, guarded(bytes(4)), guarded(bytes(7)), "EFAULT"),
        (2, guarded(bytes(4)), Buffer(bytes(7)), "?"),
        (4, guarded(bytes(3)), guarded(bytes(4)), "EFAULT"),
        (4, guarded(bytes(4)), guarded(bytes(3)), "EFAULT"),
    ],
)
def test_where_memory_ends_the_kernel_goes_no_further(
    command: int, key: Buffer, value: Buffer, said: object, era: str
) -> None:
    call = RawBpf(command, (Part(0, 4, Ref("map")), Part(8, 8, key), Part(16, 8, value)))
    assert last(MAP, call, name=era) == said


def test_a_lookup_writes_the_value_of_every_cpu() -> None:
    """5 bytes were taken for enough; what the kernel wrote behind them lay in the next operation's data."""
    table = CreateMap("table", MapType.PERCPU_ARRAY, 4, 5, 1)

    def lookup(value: Buffer) -> RawBpf:
        return RawBpf(1, (Part(0, 4, Ref("table")), Part(8, 8, Buffer(bytes(4))), Part(16, 8, value)))

    facts = {"name": "6.1", "cpus": 2}
    assert last(table, lookup(guarded(bytes(5))), **facts) == "EFAULT"
    assert last(table, lookup(guarded(bytes(16))), **facts) == 0
    assert results(MAP, table, lookup(Buffer(bytes(5))), read(), **facts)[2:] == ["?", "?"]
    assert results(MAP, table, lookup(Buffer(bytes(16))), read(), **facts)[2:] == [0, 0]


@pytest.mark.parametrize("era", SIZES)
def test_a_licence_ends_with_a_nul_or_is_not_read(era: str) -> None:
    def load(licence: Buffer) -> object:
        code = Buffer(bytes.fromhex("b700000000000000 9500000000000000"))
        return last(RawBpf(5, (Part(0, 4, 1), Part(4, 4, 2), Part(8, 8, code), Part(16, 8, licence))), name=era)

    assert load(guarded(b"GPL\0")) == "ok"
    assert load(guarded(b"GPL")) == "EFAULT"
    assert load(guarded(b"G" * 127)) == "ok"


@pytest.mark.parametrize("command", [1, 3, 4])
def test_a_key_where_a_map_has_none_is_refused(command: int) -> None:
    """__bpf_copy_key(), seen on 6.1.192 with a ring buffer."""
    ring = CreateMap("map", MapType.RINGBUF, 0, 0, 4096)
    parts = (Part(0, 4, Ref("map")), Part(16, 8, Buffer(bytes(64))))
    assert last(ring, RawBpf(command, (*parts, Part(8, 8, Buffer(bytes(8))))), name="6.1") == "EINVAL"
    without = (parts[0], *parts[1:] * (command != 3))
    assert last(ring, RawBpf(command, without), name="6.1") == "errno 524"


NAMED = Ref("map"), Buffer(bytes(8))


@pytest.mark.parametrize("value", NAMED, ids=["descriptor", "address"])
@pytest.mark.parametrize("offset", [0, 4, 8, 12, 16])
@pytest.mark.parametrize("era", SIZES)
def test_nothing_is_said_of_numbers_that_only_the_guest_knows(value: Ref | Buffer, offset: int, era: str) -> None:
    """A descriptor is no 0, and an address reaches into the field behind its own."""
    size = 8 if isinstance(value, Buffer) else 4
    kept = tuple(part for part in HASH_MAP if not offset <= part.offset < offset + size)
    if offset < 16 or SIZES[era] > 48:
        assert last(MAP, RawBpf(0, (*kept, Part(offset, size, value))), name=era) == "?"
    else:
        assert last(MAP, RawBpf(0, (*kept, Part(offset, size, value))), name=era) == "EINVAL", "4.1 knows no flags"


@pytest.mark.parametrize("value", NAMED, ids=["descriptor", "address"])
def test_nothing_is_said_of_such_numbers_behind_the_union_either(value: Ref | Buffer) -> None:
    assert last(MAP, RawBpf(2, (Part(48, 8, value),), size=56), name="4.1") == "?"


@pytest.mark.parametrize(("era", "said"), [("4.1", "EINVAL"), ("6.1", "EFAULT")])
def test_the_version_is_looked_at_before_the_code(era: str, said: str) -> None:
    """bpf_prog_load(), kernel/bpf/syscall.c; seen on 4.1.52."""
    code, licence = guarded(bytes(15)), guarded(b"GPL\0")
    call = RawBpf(5, (Part(0, 4, 2), Part(4, 4, 2), Part(8, 8, code), Part(16, 8, licence), Part(40, 4, 1)))
    assert last(call, name=era) == said
