# SPDX-License-Identifier: MIT
"""The fields of data classes, looked up once a class: checks of a script ask for them for every value in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any


def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


field_names: Callable[[type], tuple[str, ...]] = cache(_field_names)
"""Returns the names of the fields of a class; none for a class that is no data class."""
