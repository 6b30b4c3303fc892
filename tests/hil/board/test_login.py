# SPDX-License-Identifier: MIT
from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from hil.board.address import Address, parse
from hil.board.login import Unreachable, log_in
from hil.errors import UserError
from tests.hil.board.this_host import ThisHost, new_key

RELAY = """
import os, socket, sys, threading
there = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def pump(read, write):
    while data := read(65536): write(data)
threading.Thread(target=pump, args=(lambda n: os.read(0, n), there.sendall), daemon=True).start()
pump(there.recv, lambda data: os.write(1, data))
"""


@pytest.fixture
def jump(tmp_path: Path) -> Iterator[ThisHost]:
    served = ThisHost(tmp_path / "jump")
    yield served
    served.close()


def test_the_ssh_config_has_name_port_user_and_key(host: ThisHost) -> None:
    mine = f"Host pi\n  HostName 127.0.0.1\n  Port {host.address[1]}\n  User root\n"
    host.ssh_config.write_text(mine + host.ssh_config.read_text())
    line = log_in(Address("pi"), host.ssh_config)
    assert line.transport.is_authenticated()
    line.close()
    assert not line.transport.is_active()


def test_an_unknown_host_is_an_error_that_says_how_to_accept_it(host: ThisHost) -> None:
    host.known_hosts.write_text("")
    with pytest.raises(UserError, match="not a known host") as error:
        log_in(host.board, host.ssh_config)
    assert f"ssh-keyscan -p {host.address[1]} 127.0.0.1 >> {host.known_hosts}" in error.value.remedy
    assert "ssh-ed25519 SHA256:" in error.value.what


def test_a_host_with_another_key_than_it_had_is_an_error(host: ThisHost, tmp_path: Path) -> None:
    host.know(new_key(tmp_path / "other"))
    with pytest.raises(UserError, match="another host key than it had") as error:
        log_in(host.board, host.ssh_config)
    assert f"ssh-keygen -R '[127.0.0.1]:{host.address[1]}'" in error.value.remedy


def test_a_key_that_is_refused_is_an_error_that_says_how_to_add_one(host: ThisHost) -> None:
    new_key(host.folder / "client")
    with pytest.raises(UserError, match=r"refuses every key for root.*ssh-copy-id"):
        log_in(host.board, host.ssh_config)


def test_a_closed_port_is_no_mistake_of_the_user(host: ThisHost) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    with pytest.raises(Unreachable, match=f"nothing answers SSH at 127.0.0.1:{port}.*is the board on"):
        log_in(parse(f"ssh://root@127.0.0.1:{port}"), host.ssh_config)


def test_a_host_that_nobody_knows_is_named(host: ThisHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UserError, match=r"there is no host pi\.invalid.*HostName"):
        log_in(Address("pi.invalid", "root"), host.ssh_config)


def test_an_ssh_config_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ssh cannot tell how to reach ssh://pi: Can't open .*No such file"):
        log_in(Address("pi"), tmp_path / "none")


def test_the_way_leads_over_a_jump(host: ThisHost, jump: ThisHost) -> None:
    port, own = host.address[1], jump.ssh_config.read_text().replace("Host *", "Host gate")
    jumps = f"Host gate\n  HostName 127.0.0.1\n  Port {jump.address[1]}\n  User root\n{own}"
    host.ssh_config.write_text(f"Host 127.0.0.1\n  ProxyJump gate\n{jumps}{host.ssh_config.read_text()}")
    line = log_in(parse(f"ssh://root@127.0.0.1:{port}"), host.ssh_config)
    assert line.transport.is_authenticated()
    assert len(jump.transports) == 1
    line.close()


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("Host *\n  ProxyJump pi\n", "jumphost loop via pi"),
        ("Host pi\n  ProxyJump gate\nHost gate\n  ProxyJump pi\n", "has pi jump over itself"),
    ],
)
def test_a_jump_over_itself_is_an_error(config: str, told: str, host: ThisHost) -> None:
    host.ssh_config.write_text(config)
    with pytest.raises(UserError, match=told):
        log_in(Address("pi"), host.ssh_config)


@pytest.mark.parametrize("form", ["{}", "{} 2>/dev/null", "cat | {}"])
def test_the_way_leads_through_a_proxy_command(form: str, host: ThisHost, tmp_path: Path) -> None:
    relay = tmp_path / "relay.py"
    relay.write_text(RELAY)
    command = form.format(f"{sys.executable} {relay} %h %p")
    host.ssh_config.write_text(f"{host.ssh_config.read_text()}  ProxyCommand {command}\n")
    line = log_in(host.board, host.ssh_config)
    assert line.transport.is_authenticated()
    line.close()


def test_a_proxy_command_that_does_not_start_is_no_board_that_is_off(host: ThisHost) -> None:
    host.ssh_config.write_text(f"{host.ssh_config.read_text()}  ProxyCommand no-such-relay %h\n")
    with pytest.raises(UserError, match=r"ProxyCommand of .* does not start: .*no-such-relay"):
        log_in(host.board, host.ssh_config)


def known(host: ThisHost, key: paramiko.PKey, hosts: str = "", marker: str = "") -> str:
    """A line of a file of known hosts."""
    return f"{marker} {hosts or f'[127.0.0.1]:{host.address[1]}'} {key.get_name()} {key.get_base64()}\n".lstrip()


def test_lines_that_say_nothing_of_the_board_are_no_matter(host: ThisHost, tmp_path: Path) -> None:
    other = new_key(tmp_path / "other")
    lines = known(host, other, "*.example.org", "@cert-authority") + known(host, other, marker="@cert-authority")
    lines += known(host, other, marker="@revoked") + "garbage\n" + f"[127.0.0.1]:{host.address[1]} ssh-rsa AAAA!x\n"
    host.known_hosts.write_bytes(lines.encode() + b"\xff\xfe pi\n" + host.known_hosts.read_bytes())
    log_in(host.board, host.ssh_config).close()


def test_a_key_that_is_revoked_is_refused(host: ThisHost) -> None:
    host.known_hosts.write_text(known(host, host.host_key, "*", "@revoked") + host.known_hosts.read_text())
    with pytest.raises(UserError, match="has a key that is revoked: ssh-ed25519 SHA256:"):
        log_in(host.board, host.ssh_config)


@pytest.mark.parametrize("hosts", ["*", "[127.0.0.?]:*,!pi", "127.0.0.1"])
def test_a_host_is_known_by_what_ssh_knows_it(hosts: str, host: ThisHost) -> None:
    host.known_hosts.write_text(known(host, host.host_key, hosts))
    log_in(host.board, host.ssh_config).close()


def test_a_host_may_have_several_keys_of_one_type(host: ThisHost, tmp_path: Path) -> None:
    old = new_key(tmp_path / "old")
    host.known_hosts.write_text(known(host, old) + host.known_hosts.read_text())
    log_in(host.board, host.ssh_config).close()


def test_the_key_of_a_type_that_is_known_is_asked_for(host: ThisHost) -> None:
    rsa = paramiko.RSAKey.generate(2048)
    host.more_keys.append(rsa)
    host.know(rsa)
    log_in(host.board, host.ssh_config).close()


def test_a_host_is_known_by_its_alias(host: ThisHost) -> None:
    host.known_hosts.write_text(known(host, host.host_key, "farm"))
    host.ssh_config.write_text(f"{host.ssh_config.read_text()}  HostKeyAlias farm\n")
    log_in(host.board, host.ssh_config).close()


def test_an_rsa_key_that_is_refused_is_no_board_that_is_off(host: ThisHost) -> None:
    paramiko.RSAKey.generate(2048).write_private_key_file(str(host.folder / "client"))
    with pytest.raises(UserError, match="refuses every key for root"):
        log_in(host.board, host.ssh_config)


def test_a_file_that_holds_no_key_is_no_board_that_is_off(host: ThisHost) -> None:
    (host.folder / "client").write_text("garbage")
    with pytest.raises(UserError, match="refuses every key for root"):
        log_in(host.board, host.ssh_config)
