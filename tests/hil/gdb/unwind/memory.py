# SPDX-License-Identifier: MIT
"""A stopped CPU in memory."""

from __future__ import annotations

from collections.abc import Mapping

from hil.gdb.errors import GdbRefused
from hil.gdb.frame import Frame


class FakeCpu:
    """A CPU with registers, and memory by address, which is mapped where it was written."""

    def __init__(self, registers: Mapping[str, int]) -> None:
        self._registers = dict(registers)
        self._bytes: dict[int, int] = {}

    def write(self, address: int, data: bytes) -> None:
        self._bytes.update(enumerate(data, address))

    def words(self, address: int, *values: int) -> None:
        """Write consecutive 64-bit numbers."""
        self.write(address, b"".join(value.to_bytes(8, "little") for value in values))

    def registers(self) -> Mapping[str, int]:
        return self._registers

    def read_memory(self, address: int, size: int) -> bytes:
        try:
            return bytes(self._bytes[at] for at in range(address, address + size))
        except KeyError:
            raise GdbRefused(f"Unable to read memory at {address:#x}") from None

    def backtrace(self) -> tuple[Frame, ...]:
        return ()
