# SPDX-License-Identifier: MIT
"""The two SSH keys of a user: the client key that the bench logs in with, and the host key of every guest.

Both are made on first use and kept in the state folder. The host key is part of the guest root, so the client knows it
beforehand and never has to trust an unknown key.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)
from filelock import FileLock

from hil import directories
from hil.errors import BenchError


@dataclass(frozen=True)
class KeyPair:
    """An ed25519 key, and the path of its private half in OpenSSH's format."""

    path: Path
    private: Ed25519PrivateKey

    @property
    def public_line(self) -> str:
        """The public half in the format of `authorized_keys` and `known_hosts`: `ssh-ed25519 AAAA...`."""
        return self.private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    def dropbear(self) -> bytes:
        """The private half in dropbear's own format (`buf_put_ed25519_priv_key`, src/ed25519.c, since 2020.79)."""
        seed = self.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return _string(b"ssh-ed25519") + _string(seed + public)


def client() -> KeyPair:
    """The key that the bench logs in with; made on first use."""
    return _pair("client_ed25519")


def host() -> KeyPair:
    """The host key of every guest of this user; made on first use."""
    return _pair("host_ed25519")


def _pair(name: str) -> KeyPair:
    folder = directories.state() / "keys"
    path = folder / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            with FileLock(folder / f".{name}.lock"):
                if not path.exists():
                    _make(path)
        key = load_ssh_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise BenchError(f"cannot keep SSH keys in {folder}: {error.strerror}", remedy="make it writable") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it has a pass phrase
        raise BenchError(
            f"{path} is not a plain SSH private key", remedy="remove it, so that a new one is made"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BenchError(f"{path} is not an ed25519 key", remedy="remove it, so that a new one is made")
    return KeyPair(path, key)


def _make(path: Path) -> None:
    data = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # left by a process that died; we hold the lock
    temporary.touch(mode=0o600, exist_ok=False)
    temporary.write_bytes(data)
    temporary.rename(path)


def _string(data: bytes) -> bytes:
    """A string in SSH's format (RFC 4251, section 5): a length of four bytes, then the bytes."""
    return struct.pack(">I", len(data)) + data
