# SPDX-License-Identifier: MIT
"""Finds the mirror of Debian's archive that this host uses.

The project names none: the host's own apt is configured for one, and `HIL_DEBIAN_MIRROR` overrides it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from hil.errors import BenchError

ENVIRONMENT = "HIL_DEBIAN_MIRROR"

# Debian's code names and aliases tell its own suites from those of third parties and derivatives.
# https://www.debian.org/releases/
_SUITES = "bullseye|bookworm|trixie|forky|duke|sid|(?:old)*stable|testing|unstable"
_INDEX = re.compile(
    rf"^'(?P<base>(?!cdrom:)[^']+?)/+dists/(?P<suite>{_SUITES})(?P<pocket>-security|/updates|-updates)?/main/binary-",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Mirror:
    """The URIs of the two archives that every release needs, without a slash at the end."""

    base: str
    security: str


def find(environment: Mapping[str, str] = os.environ) -> Mirror:
    """The mirror to use; raises BenchError when the host has no apt, or its apt knows no Debian archive.

    `HIL_DEBIAN_MIRROR` names the base archive ("<scheme>://<host>/debian"); the security archive is expected beside
    it under the same name with "-security" at the end, which is how Debian and its mirrors name the two.
    """
    if base := environment.get(ENVIRONMENT, "").rstrip("/"):
        return Mirror(base, f"{base}-security")
    return parse(_configured())


def parse(listing: str) -> Mirror:
    """The mirror in the output of `apt-get update --print-uris`; raises BenchError when it has none of Debian's
    archives.

    Several may qualify; an archive with "-updates" suites is preferred, which a third party's repository that uses
    Debian's code names does not have.
    """
    bases: dict[str, set[str]] = {}
    for match in _INDEX.finditer(listing):
        bases.setdefault(match["base"], set()).add(match["pocket"] or "")
    security = [base for base, pockets in bases.items() if pockets & {"-security", "/updates"}]
    # A mirror may serve everything below one URI, so security archives count too, after the others.
    plain = [base for base, pockets in bases.items() if "" in pockets or "-updates" in pockets]
    if not plain:
        raise BenchError(
            "the host's apt is not configured for a mirror of Debian",
            remedy=f"set {ENVIRONMENT} to the URI of one's base archive",
        )
    base = min(plain, key=lambda uri: "-updates" not in bases[uri])
    return Mirror(base, security[0] if security else f"{base}-security")


def without_password(uri: str) -> str:
    """The URI without a user name and password, so that it may be printed and recorded."""
    return re.sub(r"(?<=://)[^/@]*@", "", uri)


def _configured() -> str:
    """The URIs that the host's apt would fetch, one a line: apt parses its own files (one-line, deb822, mirror+file:).

    Needs neither network nor lists nor root: apt-get(8), --print-uris.
    """
    try:
        return subprocess.run(
            ["apt-get", "update", "--print-uris"],
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except FileNotFoundError:
        raise BenchError(
            "this host has no apt-get, which fetches Debian's packages",
            remedy="install apt and dpkg, or import kernels with `hil kernels import`",
        ) from None
    except subprocess.CalledProcessError as error:
        raise BenchError("the host's apt cannot read its own configuration", details=error.stderr) from None
