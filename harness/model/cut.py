# SPDX-License-Identifier: MIT
"""Numbers that consist of some bits of another number."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harness.model.tnum import M64

if TYPE_CHECKING:
    from harness.model.value import Symbolic


class Cut(NamedTuple):
    """`(whole & bits) << shift`, or `>> -shift`; what would be shifted out is not among the bits."""

    whole: Symbolic
    bits: int
    shift: int

    def of(self, number: int) -> int:
        """Returns the value of the cut where the whole is `number`."""
        return _shifted(number & self.bits, self.shift)

    def masked(self, mask: int) -> Cut:
        """Returns the cut `& mask`."""
        return self._replace(bits=self.bits & _shifted(mask, -self.shift))

    def shifted(self, left: int) -> Cut:
        """Returns the cut `<< left`, or `>> -left`."""
        shift = self.shift + left
        return Cut(self.whole, self.bits & _shifted(_shifted(M64, shift), -shift), shift)


def _shifted(bits: int, left: int) -> int:
    return (bits << left) & M64 if left >= 0 else bits >> -left
