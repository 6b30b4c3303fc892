# SPDX-License-Identifier: MIT
"""Debugging of machines with gdb: kernels, their symbols and their stacks. It knows nothing of BPF."""

from hil.gdb.errors import GdbGone, GdbRefused, GdbSilent, TargetGone, UnknownSymbol
from hil.gdb.frame import Frame
from hil.gdb.session import Breakpoint, GdbSession, Stop
from hil.gdb.symbols import symbol_file
from hil.gdb.table import SymbolTable

__all__ = [
    "Breakpoint",
    "Frame",
    "GdbGone",
    "GdbRefused",
    "GdbSession",
    "GdbSilent",
    "Stop",
    "SymbolTable",
    "TargetGone",
    "UnknownSymbol",
    "symbol_file",
]
