# SPDX-License-Identifier: MIT
"""`bpf back [N]`."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict

from harness.debug.inside.data import Answer, Asked, CodeData
from harness.debug.inside.guest import memory
from harness.debug.inside.loaded import Loaded
from harness.debug.inside.session import Session
from harness.debug.inside.told import Command, at_most, number, say
from harness.isa.instruction import SIZE
from hil.errors import BenchError, UserError

_PAGE = 4096


class Back(Command):
    """Show registers, stack and maps before the BPF instruction that was executed last, or as the N-th last one of the
    run: bpf back [N].

    The guest stays where it is: this is from the record of a session that began with --record."""

    name = "bpf back"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._codes: dict[int, CodeData] = {}
        if session.data.past:
            session.on_load.append(self._keep)

    def run(self, words: list[str]) -> None:
        at_most(words, 1, "bpf back [N]")
        count = number(words[0], "instructions") if words else 1
        if not self.session.data.past:
            raise UserError(
                "nothing is recorded in this session",
                remedy="begin it with --record: hil debug LANE --interactive --record FILE",
            )
        say(*_asked(self.session.data.past, Asked(count, list(self._codes.values()))))

    def _keep(self, loaded: Loaded) -> None:
        """Keeps a program's code, which may be gone when somebody goes back to it."""
        functions = [(one.start, _there(one)) for one in loaded.images]
        self._codes[loaded.number] = CodeData(
            loaded.number,
            memory(loaded.instructions, SIZE * loaded.length).hex(),
            loaded.lines,
            loaded.native,
            b"".join(memory(start, size) for start, size in functions).hex(),
            functions,
        )


def _there(image: range) -> int:
    """Returns the bytes of an image; where its end is a guess, those in memory."""
    try:
        memory(image.stop - 1, 1)
    except BenchError:
        return image.stop // _PAGE * _PAGE - image.start
    return len(image)


def _asked(path: str, asked: Asked) -> list[str]:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            with connection.makefile("rwb") as stream:
                stream.write(json.dumps(asdict(asked)).encode() + b"\n")
                stream.flush()
                answer = Answer(**json.loads(stream.readline()))
    except (OSError, ValueError) as error:
        raise BenchError(f"`hil debug`, which has the record, does not answer: {error}") from None
    if answer.what:
        raise UserError(answer.what, remedy=answer.remedy)
    return list(answer.lines)
