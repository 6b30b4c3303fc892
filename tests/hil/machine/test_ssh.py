# SPDX-License-Identifier: MIT
from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hil.errors import BenchError, MachineLost
from hil.machine.ssh import Connection, Credentials, Stream
from hil.machine.ssh import connect as log_in
from tests.hil.machine.server import Command, Server


class Explained(MachineLost):
    """The error that `explain` makes."""


def _key(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return path


def _public(path: Path) -> str:
    key = paramiko.Ed25519Key.from_private_key_file(str(path))
    return f"ssh-ed25519 {base64.b64encode(key.asbytes()).decode()} a comment"


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """The private keys of the client and of the host."""
    return _key(tmp_path, "client"), _key(tmp_path, "host")


Connect = Callable[..., tuple[Connection, Server]]


@pytest.fixture
def connect(keys: tuple[Path, Path]) -> Iterator[Connect]:
    made: list[Connection | Server] = []

    def connect(
        command: Command, *, patience: float = 60, timeout: float = 30, key: Path = keys[0], host: Path = keys[1]
    ):  # type: ignore[no-untyped-def]
        server = Server(
            paramiko.Ed25519Key.from_private_key_file(str(keys[1])),
            paramiko.Ed25519Key.from_private_key_file(str(keys[0])),
            command,
        )
        made.append(server)
        credentials = Credentials.load(key, _public(host))
        connection = log_in(server.address, credentials, timeout=timeout, patience=patience, explain=Explained)
        made.append(connection)
        return connection, server

    yield connect
    for each in made:
        each.close()


def _echo(command: str, channel: paramiko.Channel) -> None:
    while data := channel.recv(1 << 16):
        channel.sendall(data)
    channel.send_exit_status(0)
    channel.close()


def _speak(command: str, channel: paramiko.Channel) -> None:
    channel.recv(1)  # The client sends, or ends its input, once it knows that the command has started.
    channel.sendall(b"out:" + command.encode())
    channel.sendall_stderr(b"err")
    channel.send_exit_status(7)
    channel.close()


def _silence(command: str, channel: paramiko.Channel) -> None:
    threading.Event().wait(60)


def test_run_gives_status_and_both_outputs(connect: Connect) -> None:
    done = connect(_speak)[0].run(["a b", "c"], timeout=30)
    assert (done.status, done.stdout, done.stderr) == (7, b"out:'a b' c; exit $?", b"err")


def test_run_carries_more_than_a_window_both_ways(connect: Connect) -> None:
    data = bytes(range(256)) * (1 << 14)
    assert connect(_echo)[0].run(["cat"], stdin=data, timeout=60).stdout == data


def test_run_that_does_not_end_is_an_error(connect: Connect) -> None:
    with pytest.raises(Explained, match="sleep 9 did not end"):
        connect(_silence)[0].run(["sleep", "9"], timeout=0.2)


def test_a_command_that_is_never_started_is_an_error(connect: Connect) -> None:
    """A guest with a fork bomb does this: its server accepts the request, but cannot start the command."""
    connection, server = connect(_echo)
    server.may_start.clear()
    with pytest.raises(Explained, match="cannot start 'exec cat': no answer in 0 s"):
        connection.open(["cat"], timeout=0.2)
    server.may_start.set()


def test_stream_carries_bytes_and_ends(connect: Connect) -> None:
    connection, _ = connect(_echo)
    stream = connection.open(["cat"], timeout=30)
    for word in (b"one", b"\0two"):
        stream.write(word)
        assert stream.read(100) == word
    stream.close()
    stream.close()
    assert stream.read(1) == b""


def test_end_of_the_command_is_the_end_of_the_stream(connect: Connect) -> None:
    stream = connect(_speak)[0].open(["x"], timeout=30)
    stream.write(b"!")
    data = b""
    while piece := stream.read(3):
        data += piece
    assert data == b"out:exec x"
    assert stream.errors() == b"err"


def test_broken_connection_is_no_end_of_stream(connect: Connect) -> None:
    connection, server = connect(_silence)
    stream = connection.open(["x"], timeout=30)
    threading.Timer(0.1, server.close).start()
    with pytest.raises(Explained, match="broke"):
        stream.read(1)


def test_abort_ends_a_read_at_once(connect: Connect) -> None:
    connection, _ = connect(_silence)
    stream = connection.open(["x"], timeout=30)
    threading.Timer(0.1, connection.abort).start()
    started = time.monotonic()
    with pytest.raises(Explained):
        stream.read(1)
    assert time.monotonic() - started < 30
    with pytest.raises(Explained):
        stream.write(b"x")
    with pytest.raises(Explained):
        connection.run(["x"], timeout=30)


@pytest.mark.parametrize("gone", [OSError("Socket is closed"), EOFError(), paramiko.SSHException("gone")])
def test_a_broken_connection_is_an_error_whatever_paramiko_raises(gone: Exception) -> None:
    def fails(*_: object) -> None:
        raise gone

    channel: Any = SimpleNamespace(settimeout=lambda _: None, sendall=fails, shutdown_write=fails, close=fails)
    stream = Stream(channel, 1.0, MachineLost)
    with pytest.raises(MachineLost, match=r"cannot write to the command: ."):
        stream.write(b"data")
    stream.close()


def test_silence_beyond_patience_is_an_error(connect: Connect) -> None:
    stream = connect(_silence, patience=0.1)[0].open(["x"], timeout=30)
    with pytest.raises(Explained, match="no answer"):
        stream.read(1)


def test_other_host_key_is_refused(connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(Explained, match="host key differs"):
        connect(_echo, host=_key(tmp_path, "other"))


def test_other_client_key_is_refused(connect: Connect, tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with pytest.raises(Explained, match="rejects our key for root"):
        connect(_echo, key=_key(tmp_path, "other"))
    for thread in set(threading.enumerate()) - before:
        thread.join(30)  # The server's end as soon as ours has hung up.
        assert not thread.is_alive()


@pytest.mark.parametrize("how", ["slow", "gone"])
def test_a_login_without_an_answer_is_no_refusal(
    how: str, connect: Connect, keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry may succeed while a target boots."""

    def judge(server: Server, username: str, key: paramiko.PKey) -> int:
        if how == "gone":
            server.close()
        else:
            time.sleep(2)
        return paramiko.AUTH_FAILED

    monkeypatch.setattr(Server, "check_auth_publickey", judge)
    with pytest.raises(paramiko.SSHException):
        connect(_echo, timeout=1.0 if how == "slow" else 30.0)


def test_one_limit_holds_for_every_part_of_a_login(connect: Connect) -> None:
    transport = connect(_echo)[0]._transport
    assert (transport.banner_timeout, transport.handshake_timeout, transport.auth_timeout) == (30, 30, 30)


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-none AAAA", "ssh-ed25519 AAAA"])
def test_malformed_host_key_is_an_error_of_the_bench(line: str, keys: tuple[Path, Path]) -> None:
    with pytest.raises(BenchError, match="host key"):
        Credentials.load(keys[0], line)


def test_unreadable_key_is_an_error_of_the_bench(tmp_path: Path, keys: tuple[Path, Path]) -> None:
    with pytest.raises(BenchError, match="absent"):
        Credentials.load(tmp_path / "absent", _public(keys[1]))
