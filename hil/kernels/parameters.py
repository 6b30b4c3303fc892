# SPDX-License-Identifier: MIT
"""Parameters that several commands about kernels have."""

from __future__ import annotations

import click

from hil.arch import Architecture, architecture, architectures_with
from hil.kernels import catalogue

chosen_architectures = click.option(
    "--arch", "chosen", multiple=True, metavar="ARCH", help="Architecture; may be repeated. All when left out."
)


def chosen_or_every(chosen: tuple[str, ...], kernel: str) -> list[Architecture]:
    """The architectures chosen, or all that `kernel` has when none are; raises UserError for an unknown one."""
    return [architecture(name) for name in chosen] or list(architectures_with(catalogue.kernel_of(kernel)))
