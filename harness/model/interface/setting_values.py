# SPDX-License-Identifier: MIT
"""What the files below /proc/sys hold, as far as anybody knows."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Mapping

from harness.model.unpredictable import Unpredictable


class Settings(UserDict[str, int]):
    """Values by path; Unpredictable for one that an operation nobody could predict may have changed."""

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
        """It may hold anything."""
        self._doubts.setdefault(path, why)
