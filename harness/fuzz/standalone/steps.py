# SPDX-License-Identifier: MIT
"""The steps of a batch as C: each is a call of a function of `runtime.c`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.abi.system_calls import NUMBERS
from hil.agent.steps import (
    Address,
    Batch,
    Immediate,
    Join,
    Load,
    Operand,
    Parse,
    Pin,
    Process,
    Read,
    Repeat,
    Result,
    Skip,
    Step,
    Store,
    Syscall,
    Thread,
    Value,
    Write,
)

_U64 = (1 << 64) - 1
_LINE = 24
"""The bytes of a line of a string."""


class Steps:
    """The functions for a batch on an architecture. `words` are comments, by the step that they stand in front of."""

    def __init__(self, batch: Batch, arch: str, words: Mapping[int, str]) -> None:
        self._steps, self._words = batch.steps, words
        self._names = {number: name for name, number in NUMBERS[arch].items()}
        self._blocks: list[list[str]] = []
        self.places = {}
        """Where the bytes of each Read are among the answers."""
        self.answers = 0
        for index, step in enumerate(self._steps):
            if isinstance(step, Read):
                self.places[index] = self.answers
                self.answers += step.maximum

    def lines(self) -> list[str]:
        """Returns the function `steps`, behind one for each thread."""
        body = ["static void steps(void)", "{", *self._range(0, len(self._steps)), "}"]
        return [*(line for block in self._blocks for line in (*block, "")), *body]

    def _range(self, first: int, end: int) -> Iterator[str]:
        index = first
        labels = set()
        while index < end:
            if index in labels:
                yield f"after_{index}:;"
            if word := self._words.get(index):
                yield f"    /* {word} */"
            step = self._steps[index]
            index += 1
            match step:
                case Skip(condition, count):
                    labels.add(index + count)
                    yield f"    if (skip({index - 1}, {_c(condition)}, {count}))"
                    yield f"        goto after_{index + count};"
                case Repeat(times, count):
                    yield f"    for (uint32_t i = 0; i < {times}; i++) {{"
                    yield f"        forget({index}, {count});"
                    yield from self._range(index, index + count)
                    yield "    }"
                    yield f"    gives({index - 1}, {times});"
                    index += count
                case Thread(count):
                    name = f"thread_{index - 1}"
                    block = self._range(index, index + count)
                    lines = [f"static void *{name}(void *unused)", "{", "    (void)unused;", *block]
                    self._blocks.append([*lines, "    return NULL;", "}"])
                    yield f"    start({index - 1}, {name});"
                    index += count
                case Process(count):
                    yield f"    if (child({index - 1})) {{"
                    yield from self._range(index, index + count)
                    yield "        _exit(0);"
                    yield "    }"
                    index += count
                case _:
                    yield f"    {self._single(index - 1, step)};"
        if end in labels:
            yield f"after_{end}:;"

    def _single(self, index: int, step: Step) -> str:
        match step:
            case Write(place, data):
                return f"put({place.offset}, {text(data)}, {len(data)}), gives({index}, {len(data)})"
            case Store(address, width, value):
                return f"store({index}, {_c(address)}, {width}, {_c(value)})"
            case Load(address, width):
                return f"load({index}, {_c(address)}, {width})"
            case Syscall(number, arguments):
                given = [_c(one) for one in arguments] + ["0"] * (6 - len(arguments))
                name = self._names.get(number, "system call")
                return f"call({index}, {number} /* {name} */, {', '.join(given)})"
            case Read(address, length, maximum):
                return f"copy({index}, {_c(address)}, (int64_t){_c(length)}, {maximum}, {self.places[index]})"
            case Parse(address, length, base):
                return f"parse({index}, {_c(address)}, (int64_t){_c(length)}, {base})"
            case Join(thread):
                return f"join({index}, {thread})"
            case Pin(cpu):
                return f"pin({index}, {_c(cpu)})"
        raise AssertionError(step)


def text(data: bytes) -> str:
    """Returns bytes as a string of C, over several lines where they are many. Octal escapes have an end."""
    parts = ["".join(f"\\{byte:03o}" for byte in data[at : at + _LINE]) for at in range(0, len(data), _LINE)]
    return "\n        ".join(f'"{part}"' for part in parts) or '""'


def number(value: int) -> str:
    """Returns a number of 64 bits as C has it."""
    return str(value) if 0 <= value < 1 << 31 else f"{value & _U64:#x}u" + "ll"


def _c(operand: Operand) -> str:
    match operand:
        case Immediate(value):
            return number(value)
        case Address(offset):
            return f"at({offset})"
        case Result(step):
            return f"r[{step}].value"
        case Value(offset, width):
            return f"held({offset}, {width})"
