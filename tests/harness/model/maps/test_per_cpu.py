# SPDX-License-Identifier: MIT
"""Maps with a value for each CPU, where there are several."""

from __future__ import annotations

import pytest

from harness.model.errno import Errno
from harness.model.maps import Map, allocate
from harness.model.memory import Region
from harness.model.unpredictable import Unpredictable
from harness.script.operations import CreateMap, MapType
from harness.script.outcome import Bytes
from tests.harness.model.running import environment

TYPES = (MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH)
KEY = bytes(4)
CPUS = 3


def make(type: MapType, value_size: int = 8, name: str = "6.1", flags: int = 0, **facts: object) -> Map:
    lane = environment(name, **{"cpus": CPUS, **facts})
    return allocate(lane, CreateMap("m", type, 4, value_size, 4, flags))


def region(content: bytes) -> Region:
    return Region("a value", len(content), content)


def read(map: Map) -> bytes | Bytes:
    found = map.read(KEY)
    assert found is not None
    return found.prediction()


@pytest.mark.parametrize("type", TYPES)
def test_each_cpu_has_a_value_of_its_own(type: MapType) -> None:
    map = make(type)
    map.write(KEY, region(b"a" * 8 + b"b" * 8 + b"c" * 8), 0)
    for cpu, letter in enumerate(b"abc"):
        seen = map.lookup(KEY, cpu)
        assert seen is not None and seen.prediction() == bytes([letter]) * 8
    map.update(KEY, region(b"z" * 8), 0, 0, cpu=1)
    assert read(map) == b"a" * 8 + b"z" * 8 + b"c" * 8


@pytest.mark.parametrize("type", TYPES)
def test_what_a_program_adds_is_zero_elsewhere(type: MapType) -> None:
    map = make(type)
    map.update(KEY, region(b"z" * 8), 0, 0, cpu=2)
    assert read(map) == bytes(16) + b"z" * 8


@pytest.mark.parametrize("type", TYPES)
def test_a_pointer_sees_the_next_update(type: MapType) -> None:
    map = make(type)
    map.update(KEY, region(b"y" * 8), 0, 0)
    pointer = map.lookup(KEY)
    map.update(KEY, region(b"z" * 8), 0, 0)
    assert pointer is not None and pointer.prediction() == b"z" * 8


def test_what_fills_a_value_up_is_not_said() -> None:
    map = make(MapType.PERCPU_ARRAY, value_size=5)
    assert map.size_in_calls == 8 * CPUS
    map.write(KEY, region(b"12345678" * CPUS), 0)
    content = read(map)
    assert isinstance(content, Bytes)
    assert content.admits(b"12345678" * CPUS, {}) and content.admits(b"12345\0\0\0" * CPUS, {})
    assert not content.admits(b"1234x678" * CPUS, {})


def test_a_value_has_a_largest_size() -> None:
    seen = {"last without": (0x050ADF, "ENOMEM"), "first with": (0x050AFF, "E2BIG")}
    for version_code, errno in seen.values():
        with pytest.raises(Errno, match=errno):
            make(MapType.PERCPU_HASH, 32769, "5.10", version_code=version_code)
    with pytest.raises(Unpredictable, match="errno"):
        make(MapType.PERCPU_HASH, 32769, "5.10", version_code=0x050AF0)
    make(MapType.PERCPU_HASH, 32768, "5.10")


def test_flags_of_7_2_name_cpus() -> None:
    map = make(MapType.PERCPU_ARRAY, name="7.2")
    assert map.size_given(8) == map.size_given(16) == 8 and map.size_given(0) == 8 * CPUS
    map.write(KEY, region(b"a" * 8), 16)
    map.write(KEY, region(b"b" * 8), 8 | 1 << 32)
    assert read(map) == b"a" * 8 + b"b" * 8 + b"a" * 8
    for flags, errno in ((8 | 3 << 32, "ERANGE"), (8 | 16, "EINVAL"), (4, "EINVAL"), (1 << 32, "EINVAL")):
        with pytest.raises(Errno, match=errno):
            map.size_given(flags)
    with pytest.raises(Errno, match="EINVAL"):
        make(MapType.PERCPU_ARRAY).write(KEY, region(bytes(8 * CPUS)), 16)
