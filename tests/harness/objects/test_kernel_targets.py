# SPDX-License-Identifier: MIT
"""What tracing programs are loaded for, by the types of a kernel that is made up."""

from __future__ import annotations

import pytest

from harness.objects.btf.reader import Btf
from harness.objects.btf.types import Kind
from harness.objects.kernel_facts import KernelFacts
from harness.objects.preparing import prepare
from harness.objects.reader import read
from tests.harness.objects.probes import probe
from tests.harness.objects.types import Types


def kernel() -> KernelFacts:
    types = Types()
    function = types.add(Kind.FUNC_PROTO, "", types.int())
    for name in ("f", "bpf_lsm_f", "bpf_iter_f"):
        types.add(Kind.FUNC, name, function)
    types.add(Kind.TYPEDEF, "btf_trace_f", function)
    types.add(Kind.TYPEDEF, "g", function)
    return KernelFacts("k", "x86_64", 0x60100, {}, 2, lambda: Btf(types.content()))


@pytest.mark.parametrize(
    ("section", "number"),
    [("fentry/f", 3), ("fexit.s/f", 3), ("fmod_ret/f", 3), ("lsm/f", 4), ("iter/f", 5), ("tp_btf/f", 6)],
)
def test_a_target_has_its_number(section: str, number: int) -> None:
    assert prepare(read(probe(section)), kernel()).targets == {"probe": number}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("fentry/g", "the kernel's types have no g"),  # a typedef is no function
        ("tp_btf/g", "the kernel's types have no btf_trace_g"),
        ("fentry", "names no function"),
        ("fentry/module:f", "names no function of the kernel itself"),
        ("freplace/f", "names no function"),
        ("struct_ops/f", "names no function"),
    ],
)
def test_what_is_none_is_refused(section: str, said: str) -> None:
    assert said in prepare(read(probe(section)), kernel()).refused["probe"].what


@pytest.mark.parametrize(
    ("section", "attach_type", "flags"),
    [
        ("fentry/f", 24, 0),
        ("fexit.s/f", 25, 16),
        ("cgroup/connect4", 10, 0),
        ("cgroup/recvmsg_unix", 51, 0),
        ("xdp.frags/cpumap", 35, 32),
        ("kretprobe.multi/f", 42, 0),
        ("kprobe/f", 0, 0),
        ("syscall", 0, 16),
    ],
)
def test_a_section_tells_what_the_kernel_is_told(section: str, attach_type: int, flags: int) -> None:
    said = read(probe(section)).programs[0].meaning
    assert said is not None
    assert (said.attach_type, said.flags) == (attach_type, flags)
