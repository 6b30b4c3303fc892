# SPDX-License-Identifier: MIT
"""The kinds of faults, which each module lists in `KINDS`."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from tests.chaos.kind import Kind


def every() -> list[Kind]:
    """One instance of each kind, in the order of modules and of their `KINDS`."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return [kind() for module in modules for kind in module.KINDS]
