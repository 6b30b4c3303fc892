# SPDX-License-Identifier: MIT
"""What ssh's own programs say of hosts; nothing is connected."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.board.address import Address
from hil.board.openssh import Host, host
from hil.errors import UserError

PI = Address("pi")
DEFAULT = "/etc/ssh/ssh_known_hosts"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "ssh_config"


def said(config: Path, *lines: str, address: Address = PI) -> Host:
    config.write_text("Host pi\n" + "".join(f"  {line}\n" for line in lines))
    return host(address, config)


def test_what_the_address_has_comes_first(config: Path) -> None:
    found = said(config, "HostName %h.lab", "User admin", "Port 2222")
    assert (found.name, found.user, found.port, str(found)) == ("pi.lab", "admin", 2222, "pi.lab:2222")
    found = said(config, "HostName %h.lab", "User admin", "Port 2222", address=Address("pi", "root", 22))
    assert (found.user, found.port) == ("root", 22)


def test_other_files_are_included(config: Path, tmp_path: Path) -> None:
    (tmp_path / "more").write_text("Host pi\n  Port 2222\n")
    config.write_text(f"Include {tmp_path}/more\n")
    assert host(PI, config).port == 2222


@pytest.mark.parametrize(
    ("value", "jumps"),
    [
        ("[::1]:22", [Address("::1", None, 22)]),
        ("root@[::1]:2222,ssh://u@gate:22", [Address("::1", "root", 2222), Address("gate", "u", 22)]),
        ("gate", [Address("gate")]),
        ("none", []),
    ],
)
def test_jumps_are_read_as_ssh_reads_them(value: str, jumps: list[Address], config: Path) -> None:
    found = list(said(config, f"ProxyJump {value}").jumps)
    assert [(one.host, one.user, one.port or 22) for one in found] == [
        (one.host, one.user, one.port or 22) for one in jumps
    ]


def test_tokens_are_filled_in(config: Path) -> None:
    home = Path.home()
    found = said(config, "Port 7", "IdentityFile %d/.ssh/%n", 'IdentityFile "~/a b"', "ProxyCommand nc %h %p %%")
    assert found.keys == (home / ".ssh/pi", home / "a b")
    assert found.proxy_command == "nc pi 7 %"


@pytest.mark.parametrize(
    ("value", "files"),
    [
        ("%d/known", [str(Path.home() / "known")]),
        ('/k1 "/with a space" ~/k2', ["/k1", "/with a space", str(Path.home() / "k2")]),
        ("none", []),
    ],
)
def test_files_of_known_hosts_are_the_user_s_and_the_host_s(value: str, files: list[str], config: Path) -> None:
    found = [str(file) for file in said(config, f"UserKnownHostsFile {value}").known_hosts]
    assert found[: len(files)] == files
    assert found[len(files)] == DEFAULT


def test_no_file_of_the_current_folder_is_believed(config: Path) -> None:
    with pytest.raises(UserError, match="names the file known without its folder"):
        said(config, "UserKnownHostsFile known")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Port x", "Bad port 'x'"),
        ("UserKnownHostsFile 'x", "(no argument|invalid quotes|unbalanced|missing argument|no closing)"),
        ('UserKnownHostsFile ""', "empty argument|missing argument"),
        ("ProxyJump a:b:c", "Invalid ProxyJump|Bad"),
        ("IdentityFile %Z/key", "%Z in '%Z/key', which is not followed"),
    ],
)
def test_what_ssh_does_not_understand_is_an_error(line: str, told: str, config: Path) -> None:
    with pytest.raises(UserError, match=told):
        said(config, line)
