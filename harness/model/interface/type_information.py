# SPDX-License-Identifier: MIT
"""BPF_BTF_LOAD of types as compilers of C make them: btf_new_fd(), kernel/bpf/btf.c (5.10, 7.2)."""

from __future__ import annotations

from harness.model.errno import Errno
from harness.model.interface import permissions
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import PlainFile
from harness.model.interface.type_checks import surely_taken
from harness.model.unpredictable import Unpredictable
from harness.objects.btf.reader import Btf
from harness.objects.btf.sanitising import known
from harness.script.operations import Buffer, Part, RawBpf
from harness.script.outcome import DESCRIPTOR, Outcome
from harness.script.reason import Gap


def load(kernel: Kernel, operation: RawBpf) -> Outcome:
    """Returns a descriptor where every type is one that the kernel takes; raises Unpredictable for others, of which the
    kernel has more to ask than is asked here."""
    if not kernel.rules.function_types:
        raise Unpredictable("what a kernel takes that knows no types of functions", Gap.INPUT)
    if not permissions.bpf_capable(kernel):
        raise Errno("EPERM")
    match operation.parts:
        case (Part(0, 8, Buffer(content)), Part(16, 4, size)) if size == len(content) and operation.name is not None:
            pass
        case _:
            raise Unpredictable("what other fields of BPF_BTF_LOAD mean", Gap.INPUT)
    if not (surely_taken(content) and _all_known(kernel, Btf(content))):
        raise Unpredictable("whether the kernel takes these types", Gap.INPUT)
    kernel.names.open(operation.name, PlainFile("type information"))
    return Outcome(value=DESCRIPTOR)


def _all_known(kernel: Kernel, types: Btf) -> bool:
    """Returns whether the release knows all kinds of these types."""
    return all(known(one, kernel.rules.release) is one for one in map(types.type, range(1, len(types))))
