# SPDX-License-Identifier: MIT
"""Maps, for programs and system calls alike: one module for each family of types, as the kernel has its files.

`allocate` makes one as BPF_MAP_CREATE does. A new type is a subclass of `Map` and a row of `creation._MAKERS`.
"""

from harness.model.maps.array import ArrayMap
from harness.model.maps.base import Map, MapHandle
from harness.model.maps.creation import allocate
from harness.model.maps.event_array import EventArrayMap
from harness.model.maps.file_array import FileArrayMap
from harness.model.maps.hash import HashMap
from harness.model.maps.program_array import ProgramArrayMap
from harness.model.maps.ring_buffer import RingBufferMap
from harness.model.maps.stack_trace import StackTraceMap

__all__ = [
    "ArrayMap",
    "EventArrayMap",
    "FileArrayMap",
    "HashMap",
    "Map",
    "MapHandle",
    "ProgramArrayMap",
    "RingBufferMap",
    "StackTraceMap",
    "allocate",
]
