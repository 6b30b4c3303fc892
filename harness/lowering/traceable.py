# SPDX-License-Identifier: MIT
"""The functions of a running kernel that may be traced: tracefs' available_filter_functions, where libbpf looks for
what a pattern of `kprobe.multi` matches (libbpf_available_kallsyms_parse(), tools/lib/bpf/libbpf.c of 7.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from harness.script.operations import Script, flat
from harness.script.raw import RawBpf, RawOpenEvent
from harness.script.values import Functions
from hil.target import Target

_LITERAL = re.compile(r"[^*?]+")
_NOT_THERE = "__ftrace_invalid_address__"
"""Begins what stands for a function that the linker left out: b39181f7c690 (6.0)."""


def patterns(scripts: Iterable[Script]) -> set[str]:
    """Returns the patterns of functions in the structures of scripts."""
    return {
        part.value.pattern
        for script in scripts
        for operation in flat(script.operations)
        if isinstance(operation, RawBpf | RawOpenEvent)
        for part in operation.parts
        if isinstance(part.value, Functions)
    }


@dataclass
class Traceable:
    """Looks at the kernel that runs on `target`, once for each pattern."""

    target: Target
    _found: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Returns the names that match, each once; none where the kernel has no such list. Raises MachineLost when the
        target does not answer."""
        if pattern not in self._found:
            literal = max(_LITERAL.findall(pattern), key=len, default="")
            seen = self.target.run(["grep", "-F", "-e", literal, f"{self.target.tracing}/available_filter_functions"])
            lines = seen.stdout.decode(errors="replace").splitlines()
            names = dict.fromkeys(line.split()[0] for line in lines if line.strip())
            self._found[pattern] = tuple(
                name for name in names if fnmatchcase(name, pattern) and not name.startswith(_NOT_THERE)
            )
        return self._found[pattern]
