# SPDX-License-Identifier: MIT
"""What the user's OpenSSH knows of a host: `ssh -G` reads the ssh_config, `ssh-keygen -F` the files of known hosts."""

from __future__ import annotations

import base64
import binascii
import getpass
import logging
import os
import re
import socket
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hil import programs
from hil.board.address import Address, parse
from hil.errors import UserError

_log = logging.getLogger(__name__)

_REMEDY = "mend the ssh_config, or name another one: --ssh-config"
_TOKEN = re.compile(r"%(.)|\$\{(\w+)\}")


@dataclass(frozen=True)
class Host:
    """What the ssh_config says of a host. `alias` is its name in the files of known hosts, where it has one."""

    name: str
    port: int
    user: str
    keys: tuple[Path, ...]
    only_these_keys: bool
    known_hosts: tuple[Path, ...]
    alias: str
    proxy_command: str
    jumps: tuple[Address, ...]

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"

    @property
    def entry(self) -> str:
        """Its name in the files of known hosts."""
        return self.alias or (self.name if self.port == 22 else f"[{self.name}]:{self.port}")

    @cached_property
    def known(self) -> Known:
        """Its keys, as far as they are known. Those without the port count where there are none with it, as for ssh."""
        found = [_known(name, self.known_hosts) for name in dict.fromkeys((self.entry, self.alias or self.name))]
        return next((one for one in found if one.keys), found[0])


@dataclass(frozen=True)
class Known:
    """The public keys that are known of a host, and those that are revoked: type, and encoding (RFC 4253, 6.6)."""

    keys: tuple[tuple[str, bytes], ...]
    revoked: tuple[bytes, ...]


def host(address: Address, config: Path | None) -> Host:
    """What the ssh_config says of the host at an address; `config` stands for ~/.ssh/config, as with `ssh -F`. Raises
    UserError for what ssh does not understand either, and for paths that are relative."""
    given = (("-F", config), ("-l", address.user), ("-p", address.port))
    options = [word for option, value in given if value is not None for word in (option, str(value))]
    done = _run("ssh", "-G", *options, "--", address.host)
    if done.returncode:
        said = "; ".join(done.stderr.strip().splitlines()) or f"status {done.returncode}"
        raise UserError(f"ssh cannot tell how to reach {address}: {said}", remedy=_REMEDY)
    read = defaultdict(list)
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        if value not in ("", "none"):
            read[key].append(value)

    def only(key: str) -> str:
        return "".join(read[key][:1])

    name, port, user, alias = map(only, ("hostname", "port", "user", "hostkeyalias"))
    tokens = _tokens(address.host, name, port, user, alias)
    # ssh prints the names of files without quotes, so that only the beginning of the next one ends a name.
    files = [file for one in ("user", "global") for file in re.split(r" +(?=[/~%$])", only(f"{one}knownhostsfile"))]
    return Host(
        name,
        int(port),
        user,
        keys=tuple(_path(file, tokens) for file in read["identityfile"]),
        only_these_keys=only("identitiesonly") == "yes",
        known_hosts=tuple(_path(file, tokens) for file in files if file),
        alias=alias,
        proxy_command=_filled(only("proxycommand"), tokens),
        jumps=tuple(_jump(jump) for jump in only("proxyjump").split(",") if jump),
    )


def _tokens(given: str, name: str, port: str, user: str, alias: str) -> dict[str, str]:
    """What `%` and a letter stand for; ssh_config(5), TOKENS."""
    ours, local = getpass.getuser(), socket.gethostname()
    about_us = {"d": str(Path.home()), "i": str(os.getuid()), "u": ours, "l": local, "L": local.partition(".")[0]}
    return {"%": "%", "n": given, "h": name, "p": port, "r": user, "k": alias or given} | about_us


def _filled(text: str, tokens: Mapping[str, str]) -> str:
    def fill(match: re.Match[str]) -> str:
        value = tokens.get(match[1]) if match[1] else os.environ.get(match[2])
        if value is None:
            raise UserError(f"the ssh_config has {match[0]} in {text!r}, which is not followed", remedy=_REMEDY)
        return value

    return _TOKEN.sub(fill, text)


def _path(text: str, tokens: Mapping[str, str]) -> Path:
    path = Path(_filled(text, tokens)).expanduser()
    if not path.is_absolute():
        raise UserError(f"the ssh_config names the file {text} without its folder", remedy=_REMEDY)
    return path


def _jump(text: str) -> Address:
    return parse(f"ssh://{text.removeprefix('ssh://')}", "the ssh_config's ProxyJump", _REMEDY)


def _known(name: str, files: tuple[Path, ...]) -> Known:
    keys: list[tuple[str, bytes]] = []
    revoked: list[bytes] = []
    for file in filter(Path.is_file, files):
        done = _run("ssh-keygen", "-F", name, "-f", str(file))
        if done.returncode > 1:
            raise UserError(f"ssh-keygen cannot read {file}: {done.stderr.strip()}", remedy="mend the file")
        for line in done.stdout.splitlines():
            marker, *fields = line.split() if line.startswith("@") else ("", *line.split())
            if line.startswith("#") or len(fields) < 3 or marker == "@cert-authority":
                continue
            try:
                key = base64.b64decode(fields[2], validate=True)
            except binascii.Error:
                _log.debug("%s: no key of %s: %s", file, name, line)
                continue
            if marker == "@revoked":
                revoked.append(key)
            else:
                keys.append((fields[1], key))
    return Known(tuple(keys), tuple(revoked))


def _run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    found = programs.require(program, "openssh-client")
    return programs.run([str(found), *words], environment={**os.environ, "LC_ALL": "C"})
