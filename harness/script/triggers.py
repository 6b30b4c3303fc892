# SPDX-License-Identifier: MIT
"""Kernel functions that exist on every kernel of the matrix, and the system call that reaches each with chosen values.

Each was found as one text symbol in 4.1.52, 5.10, 6.1, 6.12 and 7.2 kernels of every architecture; the call paths were
read in the sources. Scripts use magic argument values and programs compare them, because other callers reach these
functions too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class From(Enum):
    """The source of an argument of the system call, beside plain numbers."""

    NULL_DEVICE = "a descriptor of /dev/null that the executor opens"
    CHOSEN = "the next argument the script chose"


@dataclass(frozen=True)
class Argument:
    """An argument of the probed function: the script's `chosen`-th argument, of which `bits` low bits are passed, or
    (None) something only the kernel knows, such as a pointer to its own object. `by_address` it is the kernel's address
    of eight bytes that hold it."""

    chosen: int | None = None
    bits: int = 64
    by_address: bool = False


@dataclass(frozen=True)
class KernelPath:
    """A path into the kernel: `symbol` is reached by `system_call(*call)`; its arguments are `arguments`, it returns
    `returns` (the low `return_bits` of it), and the system call returns `result`, or fails with `errno`.

    `returns` and `result` are a number, or an `Argument` when the value is one that the script chose. `name`
    distinguishes triggers of one function. `chosen` are the names of the arguments that the script chooses, in the
    order of the system call, as its page in section 2 of the manual has them.
    """

    symbol: str
    system_call: str
    call: tuple[int | From, ...]
    chosen: tuple[str, ...]
    arguments: tuple[Argument, ...]
    returns: int | Argument
    return_bits: int = 64
    result: int | Argument = 0
    errno: str | None = None
    link: str = ""
    name: str = ""

    @property
    def reached(self) -> str:
        """Returns the function with what its arguments hold, in words: `write_null(?, buf, count, ?)`, where nobody
        chooses what is `?`."""
        words = [
            "?"
            if one.chosen is None
            else f"{'&' if one.by_address else ''}{self.chosen[one.chosen]}{' (32 bits)' if one.bits == 32 else ''}"
            for one in self.arguments
        ]
        return f"{self.symbol}({', '.join(words)})"


UNKNOWN_PRCTL = 0x7FFF0001
"""An option that no kernel knows, so that prctl(2) does nothing but call the security hook, then fails with EINVAL."""

TRIGGERS: dict[str, KernelPath] = {
    trigger.name or trigger.symbol: trigger
    for trigger in (
        KernelPath(
            symbol="cap_task_prctl",
            system_call="prctl",
            call=(From.CHOSEN, From.CHOSEN, From.CHOSEN, From.CHOSEN, From.CHOSEN),
            chosen=("option", "arg2", "arg3", "arg4", "arg5"),
            arguments=(Argument(0, bits=32), Argument(1), Argument(2), Argument(3), Argument(4)),
            returns=(1 << 32) - 38,  # -ENOSYS: "not an option of mine", security/commoncap.c
            return_bits=32,
            errno="EINVAL",
            link="https://elixir.bootlin.com/linux/v4.1/source/security/commoncap.c",
        ),
        KernelPath(
            symbol="null_lseek",
            system_call="lseek",
            call=(From.NULL_DEVICE, From.CHOSEN, From.CHOSEN),
            chosen=("offset", "whence"),
            arguments=(Argument(), Argument(0), Argument(1, bits=32)),
            returns=0,
            link="https://elixir.bootlin.com/linux/v4.1/source/drivers/char/mem.c",
        ),
        KernelPath(
            symbol="write_null",
            system_call="write",
            call=(From.NULL_DEVICE, From.CHOSEN, From.CHOSEN),
            chosen=("buf", "count"),
            arguments=(Argument(), Argument(0), Argument(1), Argument()),
            returns=Argument(1),
            result=Argument(1),
            link="https://elixir.bootlin.com/linux/v4.1/source/drivers/char/mem.c",
        ),
        KernelPath(
            name="pwrite_null",
            symbol="write_null",
            system_call="pwrite64",
            call=(From.NULL_DEVICE, From.CHOSEN, From.CHOSEN, From.CHOSEN),
            chosen=("buf", "count", "offset"),
            arguments=(Argument(), Argument(0), Argument(1), Argument(2, by_address=True)),
            returns=Argument(1),
            result=Argument(1),
            link="https://elixir.bootlin.com/linux/v4.1/source/fs/read_write.c",
        ),
        KernelPath(
            symbol="read_null",
            system_call="read",
            call=(From.NULL_DEVICE, From.CHOSEN, From.CHOSEN),
            chosen=("buf", "count"),
            arguments=(Argument(), Argument(0), Argument(1), Argument()),
            returns=0,
            link="https://elixir.bootlin.com/linux/v4.1/source/drivers/char/mem.c",
        ),
        KernelPath(
            symbol="find_task_by_vpid",
            system_call="getpgid",
            call=(From.CHOSEN,),
            chosen=("pid",),
            arguments=(Argument(0, bits=32),),
            returns=0,
            errno="ESRCH",
            link="https://elixir.bootlin.com/linux/v4.1/source/kernel/pid.c",
        ),
    )
}

SYMBOLS = frozenset(trigger.symbol for trigger in TRIGGERS.values())
"""The functions that triggers reach."""
