# SPDX-License-Identifier: MIT
"""The values of the files below /proc/sys, as far as they are known."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Mapping

from harness.model.unpredictable import Unpredictable


class Settings(UserDict[str, int]):
    """Values by path; reading one that an unpredicted operation may have changed raises Unpredictable."""

    def __init__(self, values: Mapping[str, int]) -> None:
        self._doubts: dict[str, str] = {}
        super().__init__(values)

    def __getitem__(self, path: str) -> int:
        if path in self._doubts:
            raise Unpredictable(self._doubts[path])
        return super().__getitem__(path)

    def __setitem__(self, path: str, value: int) -> None:
        self._doubts.pop(path, None)
        super().__setitem__(path, value)

    def distrust(self, path: str, why: str) -> None:
        """Marks the value as unknown."""
        self._doubts.setdefault(path, why)
