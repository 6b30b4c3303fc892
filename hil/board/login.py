# SPDX-License-Identifier: MIT
"""Logging in to a board as the user's ssh_config says, over jumps and proxy commands, to a known host."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import shlex
import socket
import subprocess
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from hil.board import openssh
from hil.board.address import Address
from hil.board.openssh import Host
from hil.errors import BenchError, HilError, UserError

_SECONDS = 20.0
"""For each part of a login."""
_ENDS = 1.0
"""Seconds for a ProxyCommand to be gone after its output ended."""
_NOT_STARTED = (126, 127)
"""The status of a shell that cannot start a command."""
_RSA = {"rsa-sha2-256": "ssh-rsa", "rsa-sha2-512": "ssh-rsa"}
"""The types of keys by the algorithms of signatures, where they differ."""


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


def log_in(address: Address, config: Path | None = None) -> Line:
    """Log in to the board. Raises Unreachable when nothing answers there, UserError when its host key is unknown or our
    keys are refused.

    `config` stands for ~/.ssh/config, as with `ssh -F`.
    """
    with contextlib.ExitStack() as opened:
        clients = list(_log_in(address, config, opened, ()))
        transport = clients[-1].get_transport()
        assert transport is not None
        opened.pop_all()
        return Line(transport, tuple(reversed(clients)))


def _log_in(
    address: Address, config: Path | None, opened: contextlib.ExitStack, seen: Sequence[str]
) -> Iterator[paramiko.SSHClient]:
    """Yield the clients of every jump, then that of the host itself."""
    if address.host in seen:
        raise UserError(f"the ssh_config has {address.host} jump over itself", remedy="mend its ProxyJump")
    host = openssh.host(address, config)
    over: list[paramiko.SSHClient] = []
    for number, jump in enumerate(host.jumps):
        if number == 0:
            over += _log_in(jump, config, opened, (*seen, address.host))
        else:
            over.append(_connect(openssh.host(jump, config), opened, over[-1]))
    yield from over
    yield _connect(host, opened, over[-1] if over else None)


class _Known(paramiko.MissingHostKeyPolicy):
    """Accepts the keys that are known of a host; of another one the error says how to make it known."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        host, given = self._host, (key.get_name(), key.asbytes())
        if key.asbytes() in host.known.revoked:
            raise UserError(
                f"{host} has a key that is revoked: {_shown(*given)}",
                remedy="another machine may answer there; ask who revoked it",
            )
        if given in host.known.keys:
            return
        if others := [one for one in host.known.keys if one[0] == given[0]]:
            had = " or ".join(_shown(*one) for one in others)
            raise UserError(
                f"{host} has another host key than it had: {_shown(*given)}, not {had}",
                remedy=f"another machine answers there, or it was set up anew; if so: ssh-keygen -R '{host.entry}'",
            )
        place = f"-p {host.port} {host.name}" if host.port != 22 else host.name
        file = next(iter(host.known_hosts), "~/.ssh/known_hosts")
        raise UserError(
            f"{host} is not a known host: it has the key {_shown(*given)}",
            remedy=f"compare that with the board's own and accept it: ssh-keyscan {place} >> {file}",
        )


def _connect(host: Host, opened: contextlib.ExitStack, over: paramiko.SSHClient | None) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    opened.callback(client.close)
    client.set_missing_host_key_policy(_Known(host))
    way = _way(host, over)
    try:
        client.connect(
            host.name,
            host.port,
            host.user,
            key_filename=[str(key) for key in host.keys if key.exists()],  # type: ignore[arg-type]  # as documented
            look_for_keys=False,
            allow_agent=not host.only_these_keys,
            sock=way,
            timeout=_SECONDS,
            banner_timeout=_SECONDS,
            auth_timeout=_SECONDS,
            transport_factory=_preferring({kind for kind, _ in host.known.keys}),
        )
    except HilError:
        raise
    except socket.gaierror as error:
        raise UserError(
            f"there is no host {host.name}: {error.strerror}",
            remedy="mend its name, or give it a HostName in the ssh_config",
        ) from None
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise _failure(host, client, way, error) from error
    return client


def _failure(host: Host, client: paramiko.SSHClient, way: Any, error: Exception) -> HilError:
    transport = client.get_transport()
    # paramiko raises the same exceptions when the server dies, or is too slow to answer.
    if transport is not None and transport.is_active() and str(error) != "Authentication timeout.":
        return UserError(
            f"{host} refuses every key for {host.user}: {error}",
            remedy=f"ssh-copy-id -p {host.port} {host.user}@{host.name}, or name its IdentityFile in the ssh_config",
        )
    if isinstance(way, paramiko.ProxyCommand):
        with contextlib.suppress(subprocess.TimeoutExpired):
            if way.process.wait(_ENDS) in _NOT_STARTED:
                errors = way.process.stderr
                said = errors.read().decode(errors="replace").strip() if errors else ""
                return UserError(f"the ProxyCommand of {host} does not start: {said}", remedy="mend the ssh_config")
    return Unreachable(
        f"nothing answers SSH at {host}: {str(error) or type(error).__name__}",
        remedy="is the board on, and its SSH server listening there?",
    )


def _preferring(kinds: Collection[str]) -> Callable[..., paramiko.Transport]:
    """Makes transports that ask for a host key of one of these types, as ssh does, if the server has one."""

    def make(*arguments: Any, **options: Any) -> paramiko.Transport:
        transport = paramiko.Transport(*arguments, **options)
        security = transport.get_security_options()
        security.key_types = sorted(security.key_types, key=lambda kind: _RSA.get(kind, kind) not in kinds)
        return transport

    return make


def _way(host: Host, over: paramiko.SSHClient | None) -> Any:
    """The way to the host that is no connection of its own; None where it is one."""
    if over is not None:
        transport = over.get_transport()
        assert transport is not None
        return transport.open_channel("direct-tcpip", (host.name, host.port), ("127.0.0.1", 0), timeout=_SECONDS)
    # A shell runs it, as ssh has it.
    return paramiko.ProxyCommand(shlex.join(["sh", "-c", f"exec {host.proxy_command}"])) if host.proxy_command else None


def _shown(kind: str, key: bytes) -> str:
    """The key as ssh shows it."""
    return f"{kind} SHA256:{base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip('=')}"
