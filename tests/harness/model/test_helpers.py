# SPDX-License-Identifier: MIT
"""Helpers, by the clauses of section 6 of the facts."""

from __future__ import annotations

import pytest

from harness.isa.opcodes import Helper
from harness.model import printk
from harness.model.eras import ERAS, era
from harness.model.errno import Errno, negative
from harness.model.helpers import Helpers
from harness.model.maps import Map, allocate
from harness.model.memory import USER_ADDRESS, Fault, Region
from harness.model.unpredictable import Unpredictable
from harness.model.value import M64, Partial, Pointer, Value, unknown
from harness.script.operations import CreateMap, MapType
from harness.script.outcome import Bytes
from hil.kernels.kernel import version_code
from tests.harness.model.running import environment, memory

EFAULT = -14 & M64
ERANGE = -34 & M64
later = [name for name in ERAS if name != "4.1"]


def call(helper: int, *arguments: Value, name: str = "4.1", **facts: object) -> Value:
    return Helpers(environment(name, **facts))(helper, *arguments, *[0] * (5 - len(arguments)))


def a_map(type: MapType, key: int, value: int, entries: int) -> Map:
    return allocate(environment("4.1"), CreateMap("map", type, key, value, entries))


def test_h_01_to_03_map_helpers() -> None:
    map = a_map(MapType.HASH, 2, 4, 1)
    handle, key, value = Pointer(map.handle), memory(b"..ab"), memory(b"1234")
    assert call(Helper.MAP_LOOKUP_ELEM, handle, key + 2) == 0
    assert call(Helper.MAP_UPDATE_ELEM, handle, key + 2, value, 0) == 0
    found = call(Helper.MAP_LOOKUP_ELEM, handle, key + 2)
    assert isinstance(found, Pointer)
    found.region.store(0, 1, 0x39)
    assert map.lookup(b"ab").prediction() == b"9234"  # type: ignore[union-attr]
    assert call(Helper.MAP_DELETE_ELEM, handle, key + 2) == 0


def test_map_49_errors_are_sign_extended() -> None:
    map = Pointer(a_map(MapType.HASH, 1, 1, 1).handle)
    key, other = memory(b"a"), memory(b"b")
    assert call(Helper.MAP_UPDATE_ELEM, map, key, key, 2) == -2 & M64
    assert call(Helper.MAP_UPDATE_ELEM, map, key, key, 3) == -22 & M64
    assert call(Helper.MAP_UPDATE_ELEM, map, key, key, 0) == 0
    assert call(Helper.MAP_UPDATE_ELEM, map, key, key, 1) == -17 & M64
    assert call(Helper.MAP_UPDATE_ELEM, map, other, key, 0) == -7 & M64
    assert call(Helper.MAP_DELETE_ELEM, map, other) == -2 & M64
    assert call(Helper.MAP_DELETE_ELEM, Pointer(a_map(MapType.ARRAY, 4, 8, 1).handle), memory(bytes(4))) == -22 & M64
    assert negative("E2BIG") == -7 & M64


def test_map_50_flags_are_a_full_64_bit_number() -> None:
    map = Pointer(a_map(MapType.HASH, 1, 1, 1).handle)
    assert call(Helper.MAP_UPDATE_ELEM, map, memory(b"a"), memory(b"a"), 1 << 32) == -22 & M64


def test_a_key_with_unknown_bytes_is_unpredictable() -> None:
    map, stack = Pointer(a_map(MapType.ARRAY, 4, 8, 1).handle), Region("the stack", 8)
    with pytest.raises(Unpredictable):
        call(Helper.MAP_LOOKUP_ELEM, map, Pointer(stack))


def test_pr_01_02_probe_read_copies_kernel_and_user_memory() -> None:
    for source in (memory(b"kernel!!"), Pointer(Region("user", 8, b"user-mem", address=USER_ADDRESS))):
        target = memory(bytes(8))
        assert call(Helper.PROBE_READ, target, 4, source + 2) == 0
        assert target.region.prediction() == source.region.known(2, 4) + bytes(4)


@pytest.mark.parametrize("address", [0, 4095, 0x1234 << 48 | 5, 1 << 63])
def test_pr_04_05_a_failed_read_clears_nothing_in_4_1(address: int) -> None:
    target = memory(b"\xaa" * 8)
    assert call(Helper.PROBE_READ, target, 8, address) == EFAULT
    assert target.region.prediction() == b"\xaa" * 8


@pytest.mark.parametrize("name", later)
def test_pr_05_a_failed_read_clears_everything_later(name: str) -> None:
    target = memory(b"\xaa" * 8)
    assert call(Helper.PROBE_READ, target, 4, 0, name=name) == EFAULT
    assert target.region.prediction() == bytes(4) + b"\xaa" * 4


def test_a_read_at_an_address_nobody_knows_leaves_all_open() -> None:
    target = memory(bytes(8))
    result = call(Helper.PROBE_READ, target, 4, unknown("a file"))
    assert isinstance(result, Partial)
    prediction = target.region.prediction()
    assert isinstance(prediction, Bytes) and len(prediction.unknown) == 4


def test_reading_behind_a_user_buffer_is_unpredictable_not_wrong() -> None:
    user = Pointer(Region("user", 4, b"abcd", address=USER_ADDRESS))
    assert isinstance(call(Helper.PROBE_READ, memory(bytes(8)), 8, user), Partial)


def test_probe_read_str_stops_at_the_nul_and_always_ends_with_one() -> None:
    target = memory(b"\xff" * 8)
    assert call(Helper.PROBE_READ_STR, target, 8, memory(b"abc\0def"), name="5.10") == 4
    assert target.region.prediction() == b"abc\0" + b"\xff" * 4
    assert call(Helper.PROBE_READ_STR, target, 3, memory(b"abcdef"), name="5.10") == 3
    assert target.region.known(0, 3) == b"ab\0"


@pytest.mark.parametrize(
    ("helper", "address", "works"),
    [
        (Helper.PROBE_READ_USER, "user", True),
        (Helper.PROBE_READ_USER, "kernel", False),
        (Helper.PROBE_READ_KERNEL, "kernel", True),
        (Helper.PROBE_READ_KERNEL, "user", False),
    ],
)
def test_pr_04_the_later_helpers_read_one_kind_of_memory(helper: Helper, address: str, works: bool) -> None:
    error = EFAULT if helper == Helper.PROBE_READ_USER else ERANGE
    kernel, user = memory(b"abcd"), Pointer(Region("user", 4, b"abcd", address=USER_ADDRESS))
    target = memory(b"\xaa" * 4)
    assert call(helper, target, 4, kernel if address == "kernel" else user, name="6.1") == (0 if works else error)
    assert target.region.prediction() == (b"abcd" if works else bytes(4))


def test_h_05_the_clock_is_unknown_but_positive() -> None:
    clock = call(Helper.KTIME_GET_NS)
    assert clock != 0
    with pytest.raises(Unpredictable):
        _ = clock > 5


def test_who_runs_where() -> None:
    assert call(Helper.GET_SMP_PROCESSOR_ID, name="5.10", cpus=1) == 0
    assert call(Helper.GET_SMP_PROCESSOR_ID, name="5.10", cpus=2) < 2
    assert call(Helper.GET_CURRENT_UID_GID, name="5.10") == 0
    assert call(Helper.GET_CURRENT_PID_TGID, name="5.10") != 0
    assert call(Helper.GET_PRANDOM_U32, name="5.10") <= 0xFFFFFFFF


def test_a_name_that_nobody_gave_ends_within_16_bytes_and_has_zeros_behind() -> None:
    """strncpy(), later strscpy_pad(): kernel/bpf/helpers.c; 6.1 does not say what is there."""
    for name, cleared in (("5.10", True), ("6.1", False), ("6.12", True)):
        room = memory(b"\xff" * 24)
        assert call(Helper.GET_CURRENT_COMM, room, 24, name=name) == 0
        told = room.region.prediction()
        assert isinstance(told, Bytes) and told.admits(bytes(24), {})
        assert told.admits(bytes(16) + b"\xff" * 8, {}) is not cleared


def test_a_helper_without_a_rule_and_a_bad_argument() -> None:
    with pytest.raises(Unpredictable, match="helper 58"):
        call(Helper.OVERRIDE_RETURN)
    with pytest.raises(Fault, match="for a map"):
        call(Helper.MAP_LOOKUP_ELEM, 5)


def printed(text: bytes, *arguments: Value, name: str = "4.1", code: int | None = None) -> int | str:
    first, second, third = (*arguments, 0, 0, 0)[:3]
    try:
        rules, newest = era(name, "x86_64").printk, era(name, "x86_64").latest
        return len(printk.printed(rules, printk.parse(rules, code or newest, text), (first, second, third)))
    except Errno as error:
        return error.name


@pytest.mark.parametrize(
    ("clause", "text", "arguments", "expected"),
    [
        ("TP-01", b"abc", (), "EINVAL"),
        ("TP-02", b"a\0c\0", (), "EINVAL"),
        ("TP-02", b"caf\xe9\0", (), "EINVAL"),
        ("TP-02", b"\x01\0", (), "EINVAL"),
        ("TP-10", b"hello\n\0", (), 6),
        ("TP-03", b"%d %d %d\0", (1, 22, 333), 8),
        ("TP-03", b"%d%d%d%d\0", (), "EINVAL"),
        ("TP-04", b"%lu %llx\0", (M64, M64), 20 + 1 + 16),
        ("TP-04", b"%p\0", (5,), 16),
        ("TP-04", b"%p.\0", (5,), 17),
        ("TP-04", b"%px\0", (5,), "EINVAL"),
        ("TP-05", b"%%\0", (), "EINVAL"),
        ("TP-06", b"%s\0", (), "EINVAL"),
        ("TP-06", b"%X\0", (), "EINVAL"),
        ("TP-06", b"%5d\0", (), "EINVAL"),
        ("TP-06", b"%i\0", (), "EINVAL"),
        ("TP-06", b"%llld\0", (), "EINVAL"),
        ("TP-06", b"%lp\0", (), "EINVAL"),
        ("TP-07", b"%\0", (), "EINVAL"),
        ("TP-07", b"%l\0", (), "EINVAL"),
        ("TP-08", b"%d\0", (M64,), 2),
        ("TP-08", b"%ld\0", (M64,), 2),
        ("TP-08", b"%u\0", (M64,), 10),
        ("TP-08", b"%x\0", (0x1_0000_000F,), 1),
        ("TP-10", b"%llx" + b"." * 1020 + b"\0", (M64,), 1023),
    ],
)
def test_trace_printk(clause: str, text: bytes, arguments: tuple[int, ...], expected: int | str) -> None:
    assert printed(text, *arguments) == expected


def test_tp_05_a_percent_sign_prints_since_6_1() -> None:
    assert printed(b"100%%\0", name="5.10") == "EINVAL"
    assert printed(b"100%%\0", name="6.1") == 4
    assert printed(b"ab\0cd", name="6.1") == 2


@pytest.mark.parametrize(
    ("said", "releases"),
    [
        ("EINVAL", ["5.10.255", "6.1.170", "6.1.174", "6.12.43", "6.12.90"]),
        (4, ["6.1.176", "6.1.192", "6.12.94", "6.12.118", "7.2.0"]),
        (None, ["6.1.175", "6.12.91", "6.6.87", "6.18.15"]),
    ],
)
def test_trace_printk_takes_bytes_from_0x80_since_some_stable_releases(
    said: str | int | None, releases: list[str]
) -> None:
    for one in releases:
        name, code = one.rpartition(".")[0], version_code(one)
        if said is None:
            with pytest.raises(Unpredictable, match="of this stable release"):
                printed(b"caf\xe9\0", name=name, code=code)
        else:
            assert printed(b"caf\xe9\0", name=name, code=code) == said, one
        assert printed(b"cafe\0", name=name, code=code) == 4, one


def test_hole_02_a_conversion_hidden_behind_a_pointer_is_not_predicted() -> None:
    with pytest.raises(Unpredictable):
        printed(b"%p%s\0", 5)


def test_an_unknown_argument_leaves_the_length_open() -> None:
    length = call(Helper.TRACE_PRINTK, memory(b"%d\0"), 3, unknown("a clock"))
    assert isinstance(length, Partial) and length < 1024
    assert call(Helper.TRACE_PRINTK, memory(b"%d %s\0"), 6, unknown("a clock")) == -22 & M64


@pytest.mark.parametrize(
    ("name", "arch", "helper", "address", "expected"),
    [
        ("4.1", "x86_64", Helper.PROBE_READ, 1 << 63, EFAULT),
        ("6.1", "x86_64", Helper.PROBE_READ, 0, EFAULT),
        ("6.1", "x86_64", Helper.PROBE_READ, 1 << 63, ERANGE),
        ("6.1", "x86_64", Helper.PROBE_READ_KERNEL, 0, ERANGE),
        ("6.1", "x86_64", Helper.PROBE_READ_USER, 1 << 63, EFAULT),
        ("6.1", "arm64", Helper.PROBE_READ_KERNEL, 0, EFAULT),
        ("5.10", "arm64", Helper.PROBE_READ_KERNEL, 0, EFAULT),
        ("5.10", "x86_64", Helper.PROBE_READ_KERNEL_STR, 0, ERANGE),
    ],
)
def test_which_errno_a_bad_address_gives(name: str, arch: str, helper: Helper, address: int, expected: int) -> None:
    assert call(helper, memory(bytes(8)), 8, address, name=name, arch=arch) == expected
