# SPDX-License-Identifier: MIT
"""Parameters that several commands about kernels take."""

from __future__ import annotations

import click

from hil.arch import Architecture, architecture, having
from hil.kernels import catalogue

chosen_architectures = click.option(
    "--arch", "chosen", multiple=True, metavar="ARCH", help="Architecture; may be repeated. All when left out."
)


def chosen_or_every(chosen: tuple[str, ...], kernel: str) -> list[Architecture]:
    """Those chosen, all that `kernel` has when none are; UserError for one there is not."""
    return [architecture(name) for name in chosen] or list(having(catalogue.row(kernel)))
