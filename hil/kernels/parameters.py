# SPDX-License-Identifier: MIT
"""Parameters that several commands about kernels have."""

from __future__ import annotations

from collections.abc import Iterable

import click

from hil.arch import Architecture, architecture, architectures, architectures_with
from hil.completing import one_of
from hil.kernels import catalogue, store

chosen_architectures = click.option(
    "--arch",
    "chosen",
    multiple=True,
    metavar="|".join(architectures()),
    shell_complete=one_of(architectures),
    help="Architecture; may be repeated. All when left out.",
)


def kernel_names() -> Iterable[str]:
    """The kernels of the catalogue, those that were imported, and those by version in the cache."""
    return (*(name for name, _ in store.names()), *(name for name, _ in store.points()))


complete_kernel = one_of(kernel_names)


def chosen_or_every(chosen: tuple[str, ...], kernel: str) -> list[Architecture]:
    """The architectures chosen, or all that `kernel` has when none are; raises UserError for an unknown one."""
    return [architecture(name) for name in chosen] or list(architectures_with(catalogue.kernel_of(kernel)))
