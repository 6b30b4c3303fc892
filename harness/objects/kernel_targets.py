# SPDX-License-Identifier: MIT
"""What a tracing program is loaded for, as a number of the kernel's types: libbpf_find_attach_btf_id(),
tools/lib/bpf/libbpf.c (7.2)."""

from __future__ import annotations

from harness.objects.btf.types import Kind
from harness.objects.kernel_facts import KernelFacts
from harness.objects.object_file import ObjectProgram
from harness.objects.reasons import Reason, Refused
from harness.objects.sections import Meaning

_NAMES = {
    "tp_btf": (Kind.TYPEDEF, "btf_trace_"),
    "fentry": (Kind.FUNC, ""),
    "fexit": (Kind.FUNC, ""),
    "fmod_ret": (Kind.FUNC, ""),
    "lsm": (Kind.FUNC, "bpf_lsm_"),
    "lsm_cgroup": (Kind.FUNC, "bpf_lsm_"),
    "iter": (Kind.FUNC, "bpf_iter_"),
}
"""By the mechanism: the kind of the type that a target has, and what its name begins with."""


def target(program: ObjectProgram, said: Meaning, kernel: KernelFacts) -> int:
    """Returns the number; Refused where the section names nothing that the bench can look up, the kernel has no types,
    or these have no such function."""
    mechanism = said.mechanism.removesuffix(".s")
    if mechanism not in _NAMES or not said.target or ":" in said.target:
        what = f"{program.section} names no function of the kernel itself that {program.name} could be loaded for"
        raise _refused(program, what, "load it with a loader of its own")
    if kernel.types is None:
        what = f"{program.name} is loaded for {said.target} by its number in the kernel's types, and there are none"
        remedy = "give a kernel with CONFIG_DEBUG_INFO_BTF, since 5.2, or use a kprobe"
        raise Refused(Reason.NEEDS_KERNEL_TYPES, what, section=program.section, remedy=remedy)
    kind, begin = _NAMES[mechanism]
    name = begin + said.target
    found = next((one for one in kernel.types.named(name) if kernel.types.type(one).kind is kind), None)
    if found is None:
        what = f"the kernel's types have no {name}, for which {program.name} is loaded"
        raise _refused(program, what, "it is not there, was inlined, or is in a module")
    return found


def _refused(program: ObjectProgram, what: str, remedy: str) -> Refused:
    return Refused(Reason.NEEDS_ATTACH_TYPE, what, section=program.section, remedy=remedy)
