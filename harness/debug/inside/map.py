# SPDX-License-Identifier: MIT
"""`bpf map NAME [KEY]`."""

from __future__ import annotations

import re
from itertools import islice

from harness.debug.inside.elements import Elements, address_of
from harness.debug.inside.told import Command, say
from hil.errors import UserError

_SHOWN = 64


class Map(Command):
    """Show the elements of a map, or the one with a key: bpf map NAME [KEY].

    KEY is a number, or the key's bytes in hexadecimal. Elements of arrays that are zero are left out."""

    name = "bpf map"

    def run(self, words: list[str]) -> None:
        if not 1 <= len(words) <= 2:
            raise UserError(f"{len(words)} words, where one or two are needed", remedy="usage: bpf map NAME [KEY]")
        name = words[0]
        data = self.session.map(name)
        users = [one for one in self.session.loaded if name in one.data.maps]
        if not users:
            raise UserError(
                f"no loaded program uses {name}, so where it is is not known", remedy="look while one is there"
            )
        pointer = address_of(users[-1], name, self.session.structures)
        elements = Elements(pointer, self.session.structures)
        say(f"{name}: {data.kind} at {pointer:#x}, {elements.entries} entries")
        wanted = key_of(words[1], elements.key_size) if len(words) == 2 else None
        found = [
            (key, values)
            for key, values in islice(elements, None)
            if (any(map(any, values)) if wanted is None else key == wanted)
        ]
        for key, values in found[:_SHOWN]:
            say(f"  {_text(key)}: {'  '.join(_text(value) for value in values)}")
        if len(found) > _SHOWN:
            say(f"  and {len(found) - _SHOWN} more")
        if not found:
            say("  no such element" if wanted is not None else "  nothing but zeros, or no elements")


def key_of(text: str, size: int) -> bytes:
    """Returns the key that a user typed; raises UserError when it is none of that size."""
    try:
        return int(text, 0).to_bytes(size, "little")
    except (ValueError, OverflowError):
        pass
    if re.fullmatch(rf"([0-9a-fA-F]{{2}}){{{size}}}", text):
        return bytes.fromhex(text)
    raise UserError(f"{text!r} is no key of {size} bytes", remedy="write a number, or its bytes in hexadecimal")


def _text(content: bytes) -> str:
    if len(content) in (1, 2, 4, 8):
        number = int.from_bytes(content, "little")
        return f"{number:#x} ({number})"
    return content.hex(" ")
