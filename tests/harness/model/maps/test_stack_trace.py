# SPDX-License-Identifier: MIT
"""Maps of call chains: what is known of their numbers."""

from __future__ import annotations

import pytest

from harness.abi.bpf import F_FAST_STACK_CMP, F_REUSE_STACKID, F_USER_STACK
from harness.isa.assemble import DW, R0, R1, R2, R3, R6, R7, Helper, call, exit_, ld_map, mov64_imm, mov64_reg, stx
from harness.model.errno import Errno
from harness.model.maps import StackTraceMap, allocate
from harness.model.unpredictable import Unpredictable
from harness.model.value import Partial
from harness.script.operations import Attach, CreateKprobe, CreateMap, MapType, Ref, Trigger
from tests.harness.model.running import environment
from tests.harness.model.scripts import EVENT, MAP, data, element, load, predict, read, u64


def stacks(entries: int) -> StackTraceMap:
    made = allocate(environment("6.1"), CreateMap("m", MapType.STACK_TRACE, 4, 64, entries))
    assert isinstance(made, StackTraceMap)
    return made


def errno(map: StackTraceMap, chain: str, flags: int = 0) -> str:
    with pytest.raises(Errno) as caught:
        map.number(chain, flags)
    return caught.value.name


def test_in_one_bucket_all_is_known() -> None:
    map = stacks(1)
    assert map.number("here", 0) == map.number("here", F_FAST_STACK_CMP) == map.number("here", F_REUSE_STACKID) == 0
    assert (errno(map, "there"), errno(map, "there", F_REUSE_STACKID)) == ("EEXIST", "ENOMEM")
    assert map.following(None) == (bytes(4),)
    map.delete(bytes(4))
    assert map.number("there", 0) == 0


def test_in_several_the_number_is_in_range_and_the_same_for_the_same_chain() -> None:
    map = stacks(5)
    number = map.number("here", 0)
    assert isinstance(number, Partial) and (number.least, number.most) == (0, 7)
    assert map.number("here", 0) is number
    for action in (lambda: map.number("there", 0), lambda: map.lookup(bytes(4)), lambda: map.following(None)):
        with pytest.raises(Unpredictable):
            action()
    assert map.lookup((8).to_bytes(4, "little")) is None


def test_depth_is_known_at_its_ends_only() -> None:
    map = stacks(1)
    assert errno(map, "here", 127) == errno(map, "here", 255) == "EFAULT"
    for flags in (1, 126, F_USER_STACK):
        with pytest.raises(Unpredictable, match="deep"):
            map.number("here", flags)
    assert errno(map, "here", 1 << 11) == "EINVAL"


def test_another_system_call_reaches_the_same_function_by_another_chain() -> None:
    number = (mov64_reg(R6, R1), ld_map(R2, "stacks"), mov64_imm(R3, 0), call(Helper.GET_STACKID), mov64_reg(R7, R0))
    code = load("program", *number, *element(0), stx(DW, R0, 0, R7), mov64_imm(R0, 1), exit_())
    probe = (CreateKprobe("probe", "write_null"), EVENT, Attach(Ref("event"), Ref("program")))
    writes = (
        Trigger("write_null", (0, 5)),
        read(),
        Trigger("write_null", (0, 7)),
        read(),
        Trigger("pwrite_null", (0, 5)),
        read(),
    )
    told = predict(CreateMap("stacks", MapType.STACK_TRACE, 4, 64, 1), MAP, code, *probe, *writes, name="6.1")
    assert [data(told[at]) for at in (-5, -3, -1)] == [u64(0), u64(0), u64(-17 & (1 << 64) - 1)]
