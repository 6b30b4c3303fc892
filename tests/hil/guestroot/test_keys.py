# SPDX-License-Identifier: MIT
"""Keys: private, made once by the first user, and in the formats of their readers."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hil.errors import BenchError
from hil.guestroot import keys


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def test_the_private_key_is_for_its_owner_alone(state: Path) -> None:
    path = keys.client().path
    assert path.is_relative_to(state)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_key_is_made_once() -> None:
    assert keys.client().public_line == keys.client().public_line


def test_client_and_host_differ() -> None:
    assert keys.client().public_line != keys.host().public_line


def test_paramiko_reads_the_private_key() -> None:
    pair = keys.client()
    key = paramiko.Ed25519Key.from_private_key_file(str(pair.path))
    assert f"{key.get_name()} {key.get_base64()}" == pair.public_line


def test_dropbear_format() -> None:
    """The first key of RFC 8032, section 7.1, laid out as dropbearkey writes one."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    pair = keys.KeyPair(Path("unused"), Ed25519PrivateKey.from_private_bytes(seed))
    assert pair.dropbear() == b"\0\0\0\x0bssh-ed25519\0\0\0\x40" + seed + public


def test_processes_that_come_at_once_agree() -> None:
    script = "from hil.guestroot import keys; print(keys.host().public_line)"
    racers = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    lines = {racer.communicate(timeout=60)[0] for racer in racers}
    assert lines == {f"{keys.host().public_line}\n"}


def test_left_overs_of_a_killed_process_do_no_harm(state: Path) -> None:
    folder = state / "hil" / "keys"
    folder.mkdir(parents=True)
    (folder / ".client_ed25519.new").write_bytes(b"half")
    assert keys.client().public_line.startswith("ssh-ed25519 ")


@pytest.mark.parametrize("content", [b"", b"not a key"])
def test_a_broken_key_is_named(content: bytes) -> None:
    path = keys.client().path
    path.write_bytes(content)
    with pytest.raises(BenchError, match=f"{path} is not a plain SSH private key; remove it"):
        keys.client()


def test_a_folder_that_cannot_be_made_is_named(state: Path) -> None:
    (state / "hil").write_text("a file in the way")
    with pytest.raises(BenchError, match="cannot keep SSH keys in"):
        keys.client()
