# SPDX-License-Identifier: MIT
"""Options of a kernel's configuration: requested as a fragment, and checked in the .config that Kconfig made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hil.kernels import configuration


@dataclass(frozen=True)
class Option:
    """One option; `name` is without CONFIG_, `value` is y, m, n, or any other value as written in .config."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"# CONFIG_{self.name} is not set" if self.value == "n" else f"CONFIG_{self.name}={self.value}"


def fragment(options: Iterable[Option]) -> str:
    """The lines to append to a .config; of two lines with the same option Kconfig takes the later one."""
    return "".join(f"{option}\n" for option in options)


def complaints(config: str, asked: Iterable[Option], impossible: Mapping[str, str]) -> list[str]:
    """The differences of `config` from the options `asked`, a line for each; empty when there are none."""
    actual = {name.removeprefix("CONFIG_"): value for name, value in configuration.options(config).items()}
    return [
        f"{option.name} is {_describe(actual.get(option.name))}, not {option.value}"
        for option in asked
        if actual.get(option.name, "n") != option.value
    ] + [
        f"{name} is {actual[name]}, but the recipe says it is impossible: {reason}"
        for name, reason in impossible.items()
        if name in actual
    ]


def _describe(value: str | None) -> str:
    return "not set" if value is None else value
