# SPDX-License-Identifier: MIT
"""Which mirror of Debian's archive this host uses.

The project names none: the host's own apt knows a mirror that works here, and `HIL_DEBIAN_MIRROR` overrides it.
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
    """URIs of the two archives every release needs, without a slash at the end."""

    base: str
    security: str


def find(environment: Mapping[str, str] = os.environ) -> Mirror:
    """The mirror to use; BenchError when the host has no apt, or its apt knows no Debian archive.

    `HIL_DEBIAN_MIRROR` names the base archive ("<scheme>://<host>/debian"); the security archive is expected beside
    it under the same name with "-security" at the end, which is how Debian and its mirrors name the two.
    """
    if base := environment.get(ENVIRONMENT, "").rstrip("/"):
        return Mirror(base, f"{base}-security")
    return parse(_configured())


def parse(listing: str) -> Mirror:
    """The mirror in what `apt-get update --print-uris` prints; BenchError when it has none of Debian's archives.

    Several may qualify: a third party's repository that uses Debian's code names has no "-updates" suites.
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
    """The URI as it may be printed and recorded."""
    return re.sub(r"(?<=://)[^/@]*@", "", uri)


def _configured() -> str:
    """What the host's apt would fetch: apt reads its own files best (one-line and deb822, mirror+file:, options).

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
