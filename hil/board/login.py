# SPDX-License-Identifier: MIT
"""Logging in to a board as the user's ssh_config says: names, ports, users, keys, jumps and known hosts."""

from __future__ import annotations

import base64
import contextlib
import getpass
import hashlib
import logging
import shlex
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from hil.board.address import Address
from hil.errors import BenchError, HilError, UserError

_log = logging.getLogger(__name__)

SSH_CONFIG = Path("~/.ssh/config")
_KNOWN_HOSTS = "~/.ssh/known_hosts ~/.ssh/known_hosts2 /etc/ssh/ssh_known_hosts"
_SECONDS = 20.0
"""For each part of a login."""


class Unreachable(BenchError):
    """Nothing answers at the address; a board that reboots answers later."""


@dataclass(frozen=True)
class Line:
    """An authenticated transport to a board, and the clients of the hosts on the way to it, which are closed with
    it."""

    transport: paramiko.Transport
    clients: tuple[paramiko.SSHClient, ...]

    def close(self) -> None:
        """Close every connection; harmless when repeated."""
        for client in self.clients:
            client.close()


@dataclass(frozen=True)
class _Host:
    """What the ssh_config says of a host."""

    name: str
    port: int
    user: str
    keys: tuple[str, ...]
    only_these_keys: bool
    known_hosts: tuple[Path, ...]
    proxy_command: str
    jumps: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"


def log_in(address: Address, config: Path | None = None) -> Line:
    """Log in to the board. Raises Unreachable when nothing answers there, UserError when its host key is unknown or our
    keys are refused.

    `config` stands for ~/.ssh/config, as with `ssh -F`.
    """
    with contextlib.ExitStack() as opened:
        clients = list(_log_in(address, _read(config), opened, ()))
        transport = clients[-1].get_transport()
        assert transport is not None
        opened.pop_all()
        return Line(transport, tuple(reversed(clients)))


def _read(path: Path | None) -> str:
    file = path or SSH_CONFIG.expanduser()
    if path is None and not file.exists():
        return ""
    try:
        text = file.read_text()
        paramiko.SSHConfig.from_text(text)
        return text
    except OSError as error:
        raise UserError(f"cannot read the ssh_config {file}: {error.strerror}", remedy="see --ssh-config") from None
    except (paramiko.ConfigParseError, UnicodeDecodeError) as error:
        raise UserError(
            f"{file} is no ssh_config: {error}", remedy="mend it, or name another one: --ssh-config"
        ) from None


def _host(address: Address, config: str) -> _Host:
    # The first value counts, so that what the address has is in front, and also in what the config makes of it (%p).
    given = {"Port": address.port, "User": address.user}
    ours = "".join(f"  {key} {value}\n" for key, value in given.items() if value is not None)
    try:
        known: Mapping[str, Any] = paramiko.SSHConfig.from_text(f"Host *\n{ours}\n{config}").lookup(address.host)
    except (paramiko.SSHException, ImportError) as error:
        raise UserError(
            f"the ssh_config has what cannot be followed: {error}", remedy="name another one: --ssh-config"
        ) from None
    jumps = known.get("proxyjump", "")
    files = f"{known.get('userknownhostsfile', _KNOWN_HOSTS)} {known.get('globalknownhostsfile', '')}"
    return _Host(
        name=known["hostname"],
        port=int(known.get("port", 22)),
        user=known.get("user") or getpass.getuser(),
        keys=tuple(known.get("identityfile", ())),
        only_these_keys=known.get("identitiesonly", "no") == "yes",
        known_hosts=tuple(Path(name).expanduser() for name in shlex.split(files)),
        proxy_command=known.get("proxycommand", ""),
        jumps=tuple(name.strip() for name in jumps.split(",")) if jumps not in ("", "none") else (),
    )


def _log_in(
    address: Address, config: str, opened: contextlib.ExitStack, seen: Sequence[str]
) -> Iterator[paramiko.SSHClient]:
    """Yield the clients of every jump, then that of the host itself."""
    if address.host in seen:
        raise UserError(f"the ssh_config has {address.host} jump over itself", remedy="mend its ProxyJump")
    host = _host(address, config)
    over: list[paramiko.SSHClient] = []
    for number, jump in enumerate(host.jumps):
        user, _, place = jump.rpartition("@")
        name, _, port = place.partition(":")
        there = Address(name, user or None, int(port) if port else None)
        if number == 0:
            over += _log_in(there, config, opened, (*seen, address.host))
        else:
            over.append(_connect(_host(there, config), opened, over[-1]))
    yield from over
    yield _connect(host, opened, over[-1] if over else None)


class _Refuse(paramiko.MissingHostKeyPolicy):
    """An unknown host is an error that says how to make it a known one."""

    def __init__(self, host: _Host) -> None:
        self._host = host

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        file = self._host.known_hosts[0]
        place = f"-p {self._host.port} {self._host.name}" if self._host.port != 22 else self._host.name
        raise UserError(
            f"{self._host} is not a known host: it has the key {_shown(key)}",
            remedy=f"compare that with the board's own and accept it: ssh-keyscan {place} >> {file}",
        )


def _connect(host: _Host, opened: contextlib.ExitStack, over: paramiko.SSHClient | None) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    opened.callback(client.close)
    for file in host.known_hosts:
        if file.is_file():
            client.load_system_host_keys(str(file))
    client.set_missing_host_key_policy(_Refuse(host))
    keys = [name for name in host.keys if Path(name).expanduser().exists()]
    try:
        client.connect(
            host.name,
            host.port,
            host.user,
            key_filename=keys or None,  # type: ignore[arg-type]  # a list is taken as well
            look_for_keys=not host.keys,
            allow_agent=not host.only_these_keys,
            sock=_way(host, over),
            timeout=_SECONDS,
            banner_timeout=_SECONDS,
            auth_timeout=_SECONDS,
        )
    except HilError:
        raise
    except paramiko.BadHostKeyException as error:
        raise UserError(
            f"{host} has another host key than it had: {_shown(error.key)}, not {_shown(error.expected_key)}",
            remedy=f"another machine answers there, or it was set up anew; if so: ssh-keygen -R '{_entry(host)}'",
        ) from None
    except paramiko.AuthenticationException as error:
        raise UserError(
            f"{host} refuses every key for {host.user}: {error}",
            remedy=f"ssh-copy-id -p {host.port} {host.user}@{host.name}, or name its IdentityFile in the ssh_config",
        ) from None
    except socket.gaierror as error:
        raise UserError(
            f"there is no host {host.name}: {error.strerror}",
            remedy="mend its name, or give it a HostName in the ssh_config",
        ) from None
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise Unreachable(
            f"nothing answers SSH at {host}: {str(error) or type(error).__name__}",
            remedy="is the board on, and its SSH server listening there?",
        ) from error
    return client


def _way(host: _Host, over: paramiko.SSHClient | None) -> Any:
    """The way to the host that is no connection of its own; None where it is one."""
    if over is not None:
        transport = over.get_transport()
        assert transport is not None
        return transport.open_channel("direct-tcpip", (host.name, host.port), ("127.0.0.1", 0), timeout=_SECONDS)
    return paramiko.ProxyCommand(host.proxy_command) if host.proxy_command not in ("", "none") else None


def _entry(host: _Host) -> str:
    return host.name if host.port == 22 else f"[{host.name}]:{host.port}"


def _shown(key: paramiko.PKey) -> str:
    """The key as ssh shows it."""
    return f"{key.get_name()} SHA256:{base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip('=')}"
