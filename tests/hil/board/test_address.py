# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from hil.board.address import Address, parse
from hil.errors import UserError


@pytest.mark.parametrize(
    ("text", "address", "name"),
    [
        ("ssh://root@192.0.2.7:2222", Address("192.0.2.7", "root", 2222), "board:192.0.2.7:2222"),
        ("ssh://Bench-Pi", Address("Bench-Pi"), "board:Bench-Pi"),
        ("ssh://[2001:db8::1]:22", Address("2001:db8::1", None, 22), "board:[2001:db8::1]:22"),
        ("ssh://root@pi/", Address("pi", "root"), "board:pi"),
    ],
)
def test_addresses_are_read_and_written(text: str, address: Address, name: str) -> None:
    assert parse(text) == address
    assert address.name == name
    assert str(address) == text.rstrip("/")


@pytest.mark.parametrize(
    "text", ["", "pi", "root@pi", "ssh://", "http://pi", "ssh://pi:port", "ssh://pi/etc", "ssh://[::1"]
)
def test_what_is_no_address_is_told_with_the_form(text: str) -> None:
    with pytest.raises(UserError, match=r"not the address of a board.*write ssh://\[user@\]host\[:port\]"):
        parse(text)


def test_a_password_on_the_command_line_is_refused_and_not_repeated() -> None:
    with pytest.raises(UserError, match="log in with a key") as refused:
        parse("ssh://root:secret@pi")
    assert "secret" not in str(refused.value)
