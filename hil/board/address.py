# SPDX-License-Identifier: MIT
"""The address of a board as a user writes it: `ssh://[user@]host[:port]`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from hil.errors import UserError

_FORM = "write ssh://[user@]host[:port], where the host may be a name of the ssh_config"
PREFIX = "board:"
"""The beginning of the name that lanes of a board have for its kernel."""


@dataclass(frozen=True)
class Address:
    """A host, or a name of the ssh_config; `user` and `port` are None where the ssh_config has the say."""

    host: str
    user: str | None = None
    port: int | None = None

    @property
    def name(self) -> str:
        """The kernel's name in lanes, `board:HOST` or `board:HOST:PORT`: two ports of one host may be two boards."""
        return PREFIX + self.place

    @property
    def place(self) -> str:
        """The host, and the port where one is given, as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host + (f":{self.port}" if self.port else "")

    def __str__(self) -> str:
        return "ssh://" + (f"{self.user}@" if self.user else "") + self.place


def parse(text: str, what: str = "--target", remedy: str = _FORM) -> Address:
    """The address in `text`; raises UserError, about `what`, when it is none."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UserError(f"{what} {text!r} is not the address of a board: {error}", remedy=remedy) from None
    if parts.scheme != "ssh" or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise UserError(f"{what} {text!r} is not the address of a board", remedy=remedy)
    if parts.password is not None:
        raise UserError(f"{what} takes no password", remedy="log in with a key: ssh-copy-id, or the ssh agent")
    # urlsplit() makes a host lower case, and the names of an ssh_config are not.
    host = parts.netloc.rpartition("@")[2]
    host = host[1 : host.index("]")] if host.startswith("[") else host.partition(":")[0]
    return Address(host, parts.username, port)
