# SPDX-License-Identifier: MIT
"""A CPU that stands still, in memory."""

from __future__ import annotations

from collections.abc import Mapping

from hil.gdb.errors import GdbRefused
from hil.gdb.frame import Frame


class FakeCpu:
    """Registers, and memory by address; what was not written is not mapped."""

    def __init__(self, registers: Mapping[str, int]) -> None:
        self._registers = dict(registers)
        self._bytes: dict[int, int] = {}

    def write(self, address: int, data: bytes) -> None:
        self._bytes.update(enumerate(data, address))

    def words(self, address: int, *values: int) -> None:
        """64 bit numbers, one behind the other."""
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
