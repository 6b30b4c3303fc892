# SPDX-License-Identifier: MIT
"""Maps against a dict and against the clauses of section 2 of the facts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.eras import ERAS
from harness.model.errno import Errno
from harness.model.maps import Map, allocate
from harness.model.memory import Region
from harness.model.unpredictable import Unpredictable
from harness.script.operations import CreateMap, MapType
from tests.harness.model.running import environment

U32_MAX = (1 << 32) - 1
names = sorted(ERAS)


def make(type: int, key: int, value: int, entries: int, flags: int = 0, name: str = "4.1") -> Map:
    return allocate(environment(name), CreateMap("m", type, key, value, entries, flags))


def put(map: Map, key: bytes, value: bytes, flags: int = 0) -> str:
    try:
        map.update(key, Region("value", len(value), value), 0, flags)
    except Errno as error:
        return error.name
    return "0"


def get(map: Map, key: bytes) -> object:
    found = map.lookup(key)
    return None if found is None else found.prediction()


def refusal(type: int, key: int, value: int, entries: int, flags: int = 0, name: str = "4.1") -> str:
    with pytest.raises(Errno) as caught:
        make(type, key, value, entries, flags, name)
    return caught.value.name


keys = st.sampled_from([bytes([n]) for n in range(5)])
actions = st.lists(
    st.tuples(
        st.sampled_from(["put", "get", "delete", "next"]), keys, st.binary(min_size=2, max_size=2), st.integers(0, 3)
    )
)


@pytest.mark.parametrize("name", names)
@given(actions=actions)
def test_a_hash_map_is_a_bounded_dict(name: str, actions: list[tuple[str, bytes, bytes, int]]) -> None:
    map, truth = make(MapType.HASH, 1, 2, 3, name=name), dict[bytes, bytes]()
    for action, key, value, flags in actions:
        if action == "put":
            expected = "0"
            if flags == 3:
                expected = "EINVAL"
            elif key in truth:
                expected = "EEXIST" if flags == 1 else "0"
            elif flags == 2:
                expected = "E2BIG" if name == "4.1" and len(truth) == 3 else "ENOENT"
            elif len(truth) == 3:
                expected = "E2BIG"
            assert put(map, key, value, flags) == expected
            if expected == "0":
                truth[key] = value
        elif action == "get":
            assert get(map, key) == truth.get(key)
        elif action == "next":
            if not truth:
                with pytest.raises(Errno, match="ENOENT"):
                    map.following(None)
            else:
                assert set(map.following(None)) == set(truth)
        elif key in truth:
            map.delete(key)
            del truth[key]
        else:
            with pytest.raises(Errno, match="ENOENT"):
                map.delete(key)


@given(index=st.integers(0, U32_MAX), entries=st.integers(1, 1000))
def test_map_38_to_42_an_array_has_all_its_elements(index: int, entries: int) -> None:
    map, key = make(MapType.ARRAY, 4, 3, entries), index.to_bytes(4, "little")
    inside = index < entries
    assert get(map, key) == (b"\0\0\0" if inside else None)
    assert put(map, key, b"abc", 1) == ("EEXIST" if inside else "E2BIG")
    assert put(map, key, b"abc", 2) == ("0" if inside else "E2BIG")
    assert put(map, key, b"abc", 3) == "EINVAL"
    assert get(map, key) == (b"abc" if inside else None)
    with pytest.raises(Errno, match="EINVAL"):
        map.delete(key)
    if index == entries - 1:
        with pytest.raises(Errno, match="ENOENT"):
            map.following(key)
    else:
        assert map.following(key) == ((index + 1 if inside else 0).to_bytes(4, "little"),)
    assert map.following(None) == ((0).to_bytes(4, "little"),) or entries == U32_MAX + 1


def test_map_34_full_map_and_bpf_exist_differ_by_era() -> None:
    for name in names:
        map = make(MapType.HASH, 1, 1, 1, name=name)
        put(map, b"a", b"1")
        assert put(map, b"b", b"2", 2) == ("E2BIG" if name == "4.1" else "ENOENT")


def test_map_32_a_pointer_keeps_the_old_element_of_a_hash_map() -> None:
    map = make(MapType.HASH, 1, 1, 1)
    put(map, b"a", b"1")
    old = map.lookup(b"a")
    put(map, b"a", b"2")
    assert old is not None and old.prediction() == b"1"
    assert get(map, b"a") == b"2"


def test_map_43_44_the_order_of_keys_is_left_open() -> None:
    map = make(MapType.HASH, 1, 1, 4)
    put(map, b"a", b"1")
    assert map.following(None) == (b"a",)
    assert map.following(b"z") == (b"a",)
    with pytest.raises(Errno, match="ENOENT"):
        map.following(b"a")
    put(map, b"b", b"1")
    assert set(map.following(b"z")) == {b"a", b"b"}
    with pytest.raises(Unpredictable):
        map.following(b"a")


def test_map_02_to_10_what_4_1_refuses_to_make() -> None:
    hash, array = MapType.HASH, MapType.ARRAY
    assert refusal(hash, 0, 1, 1) == refusal(hash, 1, 0, 1) == refusal(hash, 1, 1, 0) == "EINVAL"
    assert refusal(hash, 513, 0, 1) == "EINVAL"
    assert refusal(hash, 513, 8, 1) == "E2BIG"
    assert refusal(hash, 513, 8, (1 << 28) + 1) == "E2BIG"
    assert refusal(hash, 4, 8, (1 << 28) + 1) == refusal(hash, 4, 8, U32_MAX) == "ENOMEM"
    assert isinstance(make(hash, 4, U32_MAX, 1), Map)
    assert refusal(array, 8, 8, 1) == refusal(array, 4, 0, 1) == refusal(array, 4, 8, 0) == "EINVAL"
    assert refusal(array, 4, 0xFFFFFFF9, 1) == "ENOMEM"
    assert refusal(array, 4, 8, (U32_MAX - 72) // 8 + 1) == "ENOMEM"
    assert refusal(0, 4, 8, 1) == refusal(3, 4, 8, 1) == "EINVAL"
    assert refusal(hash, 4, 8, 1, flags=1) == refusal(array, 4, 8, 1, flags=1) == "EINVAL"


def test_later_eras_refuse_other_things() -> None:
    assert isinstance(make(MapType.HASH, 4, 8, 1, flags=1, name="5.10"), Map)
    assert refusal(MapType.ARRAY, 4, 8, 1, flags=1, name="5.10") == "EINVAL"
    assert refusal(MapType.HASH, 513, 8, 1, name="5.10") == "E2BIG"
    assert isinstance(make(MapType.HASH, 513, 8, 1, name="6.1"), Map)
    assert refusal(MapType.HASH, 4, U32_MAX, 1, name="5.10") == "E2BIG"
    assert refusal(MapType.ARRAY, 4, 5 << 20, 1, name="5.10") == "E2BIG"
    assert refusal(99, 4, 8, 1, name="7.2") == "EINVAL"
    with pytest.raises(Unpredictable, match="type 13"):
        make(13, 4, 8, 1, name="6.1")


SHAPES = {
    MapType.PROG_ARRAY: (4, 4, 4),
    MapType.PERF_EVENT_ARRAY: (4, 4, 4),
    MapType.STACK_TRACE: (4, 64, 4),
    MapType.CGROUP_ARRAY: (4, 4, 4),
    MapType.QUEUE: (0, 8, 4),
    MapType.RINGBUF: (0, 0, 4096),
}
"""Where four bytes of key and eight of value are not it."""


@pytest.mark.parametrize("name", names)
@pytest.mark.parametrize("type", [one for one in MapType if one])
def test_a_flag_that_nobody_gave_a_meaning_is_refused(type: MapType, name: str) -> None:
    """Also one without a name, which the complement of an IntFlag would let pass."""
    for bit in (9, 13, 14, 15, *range(20, 32)):
        assert refusal(type, *SHAPES.get(type, (4, 8, 4)), flags=1 << bit, name=name) == "EINVAL", bit


def test_what_has_no_rule_is_not_predicted() -> None:
    for type, flag in ((MapType.STACK_TRACE, 1 << 5), (MapType.RINGBUF, 1 << 19)):
        with pytest.raises(Unpredictable):
            make(type, *SHAPES[type], flags=flag, name="7.2")
    assert refusal(MapType.RINGBUF, *SHAPES[MapType.RINGBUF], flags=1 << 19, name="6.12") == "EINVAL"
    assert refusal(MapType.LRU_HASH, 4, 8, 4, flags=0x19, name="6.12") == "EINVAL"
    assert refusal(MapType.LRU_HASH, 4, 8, 4, flags=0x19, name="7.2") == "errno 524"
