# SPDX-License-Identifier: MIT
"""What is mapped, and by whom; executors read nothing else, so that no script dies of a look at its ring."""

from __future__ import annotations

import pytest

from harness.abi.bpf import MapFlag
from harness.pytest_plugin.guest import LaneGuest
from harness.script.clause import expect
from harness.script.operations import (
    CreateMap,
    Exit,
    Fork,
    MapRing,
    MapRingBuffer,
    MapType,
    Operation,
    ReadCount,
    ReadRing,
    ReadRingBuffer,
    Ref,
    Unmap,
)
from tests.harness.model.scripts import EVENT, FIRE, PROBE, results

RING = (PROBE, EVENT, MapRing("mapped", Ref("event"), 1))
BUFFER = (CreateMap("map", MapType.RINGBUF, 0, 0, 4096), MapRingBuffer("mapped", Ref("map"), 4096))


@pytest.mark.parametrize(
    ("made", "read"), [(RING, ReadRing(Ref("mapped"))), (BUFFER, ReadRingBuffer(Ref("mapped")))], ids=["ring", "buffer"]
)
def test_what_is_not_mapped_is_not_read(made: tuple[Operation, ...], read: Operation) -> None:
    unmap, count = Unmap(Ref("mapped")), len(made)
    assert results(*made, read, unmap, read, unmap, made[-1], read, name="6.1")[count:] == [
        0,
        0,
        "EBADF",
        "EBADF",
        0,
        0,
    ]
    child = (Fork(), read, unmap, made[-1], read, Exit())
    assert results(*made, *child, read, name="6.1")[count:] == [0, "EBADF", "EBADF", 0, 0, 0, 0]


def test_and_everything_else_is_as_certain_as_before() -> None:
    script = (*RING, Unmap(Ref("mapped")), ReadRing(Ref("mapped")), FIRE, ReadCount(Ref("event")))
    assert results(*script, name="6.1")[-1] == 1


@pytest.mark.guest
@pytest.mark.needs("kprobes")
@pytest.mark.kernel_from("5.8")
def test_no_process_dies_of_it(guest: LaneGuest) -> None:
    """Maps of type RINGBUF are there since 5.8. A map that may only be read has no page for a consumer."""
    for made, read in ((RING, ReadRing(Ref("mapped"))), (BUFFER, ReadRingBuffer(Ref("mapped")))):
        child = (Fork(), expect(read, "EBADF"), Exit())
        guest.check(*made, *child, expect(read, 0), Unmap(Ref("mapped")), expect(read, "EBADF"))
    read_only = CreateMap("map", MapType.ARRAY, 4, 8, 4096, MapFlag.MMAPABLE | MapFlag.RDONLY)
    half = MapRingBuffer("mapped", Ref("map"), 4096)
    guest.check(read_only, expect(half, "EACCES"), expect(ReadRingBuffer(Ref("mapped")), "EBADF"))
