# SPDX-License-Identifier: MIT
"""Maps that evict: what holds of them whatever the lists look like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.maps import Map, allocate
from harness.model.maps.lru_list import BATCH
from harness.model.memory import Region
from harness.model.unpredictable import Unpredictable
from harness.script.operations import CreateMap, MapType
from tests.harness.model.running import environment

TYPES = (MapType.LRU_HASH, MapType.LRU_PERCPU_HASH)
LATER = ("5.10", "6.1", "6.12", "7.2")
OWN = 2


def make(lane: Environment, type: MapType, entries: int, flags: int = 0) -> Map:
    return allocate(lane, CreateMap("m", type, 1, 8, entries, flags))


def put(map: Map, key: int, cpu: int = 0) -> None:
    map.write(bytes([key]), Region("value", map.size_in_calls, bytes([key]) * map.size_in_calls), 0, cpu)


@pytest.mark.parametrize("name", LATER)
@given(
    type=st.sampled_from(TYPES),
    flags=st.sampled_from((0, OWN)),
    entries=st.integers(1, 9),
    steps=st.lists(st.tuples(st.sampled_from(("put", "see", "delete")), st.integers(0, 11), st.integers(0, 1))),
)
def test_it_never_holds_more_than_its_size_and_always_what_came_last(
    name: str, type: MapType, flags: int, entries: int, steps: list[tuple[str, int, int]]
) -> None:
    map = make(environment(name, cpus=2), type, entries, flags)
    room = -(-entries // 2) * 2 if flags else entries
    for step, key, cpu in steps:
        match step:
            case "put":
                put(map, key, cpu)
                found = map.read(bytes([key]))
                assert found is not None and found.prediction() == bytes([key]) * map.size_in_calls
            case "see":
                map.lookup(bytes([key]), cpu)
            case _:
                present = map.read(bytes([key])) is not None
                try:
                    map.delete(bytes([key]))
                    assert present
                except Errno as error:
                    assert error.name == "ENOENT" and not present
        assert len(map.stored()) <= room


@pytest.mark.parametrize("name", LATER)
@given(entries=st.integers(1, BATCH), type=st.sampled_from(TYPES))
def test_on_one_cpu_nothing_goes_while_free_elements_fill_a_batch(name: str, entries: int, type: MapType) -> None:
    batch = BATCH if name in ("5.10", "6.1") else max(entries // 2, 1)
    certain = entries if batch > entries else entries - entries % batch
    map = make(environment(name), type, entries)
    for key in range(certain):
        put(map, key)
    assert len(map.stored()) == certain


def test_which_release_takes_small_batches_is_known_of_those_seen_only() -> None:
    between = environment("6.12", version_code=0x060C10)
    with pytest.raises(Unpredictable, match="small batches"):
        put(make(between, MapType.LRU_HASH, 4), 1)
    put(make(between, MapType.LRU_HASH, 4, OWN), 1)
