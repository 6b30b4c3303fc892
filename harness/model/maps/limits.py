"""What making a map of any type looks at: flags, and the memory it takes."""

from __future__ import annotations

from harness.model.errno import Errno
from harness.model.value import Unpredictable

NO_PREALLOC = 1
"""BPF_F_NO_PREALLOC, which a hash map takes since 4.6 and which nothing here shows."""
NUMA_NODE = 4
"""BPF_F_NUMA_NODE since 4.14; the node is 0 unless numa_node says otherwise, and guests have one."""
MEANINGLESS_FLAGS = 0xFFFF0000
"""No release gave these bits of map_flags a meaning yet."""
LARGEST_CERTAIN = 16 << 20
"""Bytes a map may take before the guest's memory decides whether it can."""


def check_flags(flags: int, *, taken: int, refused: int = 0) -> None:
    """Errno EINVAL for flags that are `refused` or mean nothing; Unpredictable for others that are not `taken`."""
    if flags & (MEANINGLESS_FLAGS | refused):
        raise Errno("EINVAL")
    if flags & ~taken:
        raise Unpredictable(f"the model does not know map_flags {flags & ~taken:#x}")


def check_memory(size: int) -> None:
    """Unpredictable when the guest may not have `size` bytes."""
    if size > LARGEST_CERTAIN:
        raise Unpredictable(f"whether a map of {size} bytes can be had depends on the guest's memory")
