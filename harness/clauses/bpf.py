"""bpf(2) itself: what is looked at before any command, what each command ignores, and in which order; syscall.c."""

from __future__ import annotations

from harness.abi.bpf import Command
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import MAP
from harness.essentials.parts import array, u32, u64
from harness.script.clause import NOTHING, WORKS, Clause, Said, Step, expect
from harness.script.operations import Buffer, LookupElement, Operation, Part, RawBpf, Ref, UpdateElement

HASH_MAP = (Part(0, 4, 1), Part(4, 4, 4), Part(8, 4, 8), Part(12, 4, 1))
KERNEL_ADDRESS = 0xFFFF_FFFF_FFFF_0000
PAGE = 4096
KEY, VALUE = Buffer(u32(0)), Buffer(u64(7))
LATER_SIZES = {"5.10": 120, "6.1": 144, "6.12": 152, "7.2": 168}
"""sizeof(union bpf_attr); 48 in 4.1."""


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return (*_entry(), *_tails(), *_elements(), *_loads())


def _clause(id: str, sentence: str, *steps: Operation | Step, **era: str) -> Clause:
    return Clause(id, sentence, steps, NOTHING, **era)


def _element(
    map: Ref | int, key: Buffer | int | None, value: Buffer | int | None = None, *more: Part
) -> tuple[Part, ...]:
    """The fields of an element command; None leaves one out."""
    given = ((8, key), (16, value))
    return (Part(0, 4, map), *(Part(offset, 8, what) for offset, what in given if what is not None), *more)


def _entry() -> tuple[Clause, ...]:
    return (
        _clause(
            "SYS-02.address-or-size",
            "4.1 looks at the address before the size",
            expect(RawBpf(0, size=PAGE + 1, address=KERNEL_ADDRESS), "EFAULT", {"5.10": "E2BIG"}),
        ),
        _clause("SYS-02.address", "an address of the kernel's", expect(RawBpf(0, address=KERNEL_ADDRESS), "EFAULT")),
        _clause("SYS-02.null", "a null pointer", expect(RawBpf(0, address=0), "EFAULT")),
        _clause(
            "SYS-03",
            "more than a page is too much, whatever it holds",
            expect(RawBpf(0, HASH_MAP, size=PAGE + 1), "E2BIG"),
        ),
        _clause(
            "SYS-03.unmapped", "even if it is not there", expect(RawBpf(0, HASH_MAP, size=PAGE + 1, length=48), "E2BIG")
        ),
        _clause(
            "SYS-03.page",
            "a whole page of zeros behind the attribute is fine",
            expect(RawBpf(0, HASH_MAP, size=PAGE), WORKS),
        ),
        _clause(
            "SYS-04",
            "bytes the kernel does not know must be zero",
            expect(RawBpf(0, (*HASH_MAP, Part(200, 1, 1)), size=256), "E2BIG"),
        ),
        _clause(
            "SYS-04.first",
            "from the first one on",
            expect(RawBpf(0, (*HASH_MAP, Part(48, 1, 1)), size=56), "E2BIG"),
            until="4.1",
        ),
        *(
            _clause(
                f"SYS-04.size-{size}",
                "from the first one on",
                expect(RawBpf(2, (Part(size, 1, 1),), size=size + 8), "E2BIG"),
                since=era,
                until=era,
            )
            for era, size in LATER_SIZES.items()
        ),
        _clause("SYS-05", "zeros it does not know are fine", expect(RawBpf(0, HASH_MAP, size=1024), WORKS)),
        _clause(
            "SYS-06", "what lies behind must be readable", expect(RawBpf(0, HASH_MAP, size=512, length=256), "EFAULT")
        ),
        _clause("SYS-07.short", "fields left out are zero", expect(RawBpf(0, HASH_MAP, size=16), WORKS)),
        _clause("SYS-07.too-short", "also those that are needed", expect(RawBpf(0, HASH_MAP[:3], size=12), "EINVAL")),
        _clause(
            "SYS-07.guarded", "and nothing behind them is read", expect(RawBpf(0, HASH_MAP, size=16, length=16), WORKS)
        ),
        _clause("SYS-08", "nothing at all is a map of type 0", expect(RawBpf(0, size=0), "EINVAL")),
        *(
            _clause(f"SYS-09.{command}", "unknown commands", expect(RawBpf(command), "EINVAL"))
            for command in (1000, 4096)
        ),
        *(
            _clause(f"SYS-09.{command}", "unknown commands of 4.1", expect(RawBpf(command), "EINVAL"), until="4.1")
            for command in (6, 7, 0x10000, -1)
        ),
        _clause(
            "SYS-10",
            "an attribute that cannot be read comes before a command that is not there",
            expect(RawBpf(1000, size=48, length=16), "EFAULT"),
        ),
        _clause("SYS-10.size", "so does one that is too large", expect(RawBpf(1000, size=PAGE + 1), "E2BIG")),
    )


def _tails() -> tuple[Clause, ...]:
    """SYS-20 to SYS-26: bytes behind a command's last field."""
    rows: tuple[tuple[str, Command, int], ...] = (
        ("SYS-21", Command.MAP_LOOKUP_ELEM, 24),
        ("SYS-22", Command.MAP_UPDATE_ELEM, 32),
        ("SYS-23", Command.MAP_DELETE_ELEM, 16),
        ("SYS-24", Command.MAP_GET_NEXT_KEY, 24),
    )
    return (
        *(
            _clause(
                f"{id}.first",
                "bytes behind a command's last field must be zero",
                array("map"),
                expect(RawBpf(command, _element(MAP, KEY, None, Part(last, 1, 1))), "EINVAL"),
            )
            for id, command, last in rows
        ),
        *(
            _clause(
                f"{id}.last",
                "to the last one",
                array("map"),
                expect(RawBpf(command, _element(MAP, KEY, None, Part(47, 1, 1))), "EINVAL"),
            )
            for id, command, _ in rows
        ),
        *(
            _clause(
                f"SYS-26.{command.name.lower()}",
                "which is looked at before the descriptor",
                expect(RawBpf(command, (Part(0, 4, -1), Part(40, 8, 1))), "EINVAL"),
            )
            for _, command, _ in rows
        ),
        _clause(
            "SYS-20.map-name",
            "a map of 4.1 has nothing behind its number of entries",
            expect(RawBpf(0, (*HASH_MAP, Part(28, 1, 65))), "EINVAL", {"5.10": WORKS}),
        ),
        _clause(
            "SYS-25",
            "nor has a program behind the kernel's version",
            expect(RawBpf(Command.PROG_LOAD, (Part(0, 4, 1), Part(44, 4, 1 << 31))), "EINVAL"),
        ),
        _clause(
            "SYS-13",
            "bytes between fields are not looked at",
            array("map"),
            expect(RawBpf(Command.MAP_UPDATE_ELEM, _element(MAP, KEY, VALUE, Part(4, 4, 0xFFFFFFFF))), 0),
            expect(LookupElement(MAP, u32(0), 8), u64(7)),
        ),
    )


def _elements() -> tuple[Clause, ...]:
    lookup, update, delete, next_key = (Command(number) for number in (1, 2, 3, 4))
    table = RawBpf(0, HASH_MAP, name="map")
    filled = (table, UpdateElement(MAP, u32(1), u64(1)))
    rows: tuple[tuple[str, str, RawBpf, Said], ...] = (
        ("MAP-20.key", "the key must be readable", RawBpf(lookup, _element(MAP, 0, VALUE)), "EFAULT"),
        ("MAP-20.descriptor-first", "but the descriptor comes first", RawBpf(lookup, _element(-1, 0, 0)), "EBADF"),
        (
            "MAP-20.value",
            "there must be room for the value",
            RawBpf(lookup, _element(MAP, Buffer(u32(1)), 0)),
            "EFAULT",
        ),
        ("MAP-20.kernel", "not in the kernel", RawBpf(lookup, _element(MAP, Buffer(u32(1)), KERNEL_ADDRESS)), "EFAULT"),
        ("MAP-24", "but only if there is one", RawBpf(lookup, _element(MAP, Buffer(u32(2)), 0)), "ENOENT"),
        ("MAP-21.key", "an update reads the key", RawBpf(update, _element(MAP, 0, VALUE)), "EFAULT"),
        ("MAP-21.value", "and the value", RawBpf(update, _element(MAP, KEY, 0)), "EFAULT"),
        ("MAP-21.full", "both before it looks for room", RawBpf(update, _element(MAP, KEY, VALUE)), "E2BIG"),
        ("MAP-25", "and before the flags", RawBpf(update, _element(MAP, KEY, 0, Part(24, 8, 3))), "EFAULT"),
        ("MAP-22.key", "a deletion reads the key", RawBpf(delete, _element(MAP, 0)), "EFAULT"),
        ("MAP-23.null", "without a key the first one is meant", RawBpf(next_key, _element(MAP, None, VALUE)), 0),
        (
            "MAP-23.key",
            "otherwise it must be readable",
            RawBpf(next_key, _element(MAP, KERNEL_ADDRESS, VALUE)),
            "EFAULT",
        ),
        ("MAP-23.room", "there must be room for the next one", RawBpf(next_key, _element(MAP, None, 0)), "EFAULT"),
        ("MAP-23.none", "but only if there is one", RawBpf(next_key, _element(MAP, Buffer(u32(1)), 0)), "ENOENT"),
    )
    return (
        *(_clause(id, sentence, *filled, expect(call, said)) for id, sentence, call, said in rows),
        _clause(
            "MAP-40.key",
            "an array's key is read although nothing can be deleted",
            array("map"),
            expect(RawBpf(delete, _element(MAP, 0)), "EFAULT"),
        ),
    )


def _loads() -> tuple[Clause, ...]:
    """LOAD-01: what BPF_PROG_LOAD reads first."""
    licence, code = (
        Part(16, 8, Buffer(b"GPL\0")),
        Part(8, 8, Buffer(bytes.fromhex("b700000000000000 9500000000000000"))),
    )
    filter, two = Part(0, 4, 1), Part(4, 4, 2)
    log = (Part(24, 4, 1), Part(28, 4, 4096))

    def load(*parts: Part) -> RawBpf:
        return RawBpf(Command.PROG_LOAD, parts)

    return (
        _clause("LOAD-02", "the licence must be readable", expect(load(filter, two, code), "EFAULT")),
        _clause(
            "LOAD-02.first",
            "and is read before the program is counted, until 6.12",
            expect(load(filter, Part(4, 4, 1 << 30)), "EFAULT", {"6.12": "E2BIG"}),
        ),
        _clause(
            "LOAD-01.instructions", "the instructions must be readable", expect(load(filter, two, licence), "EFAULT")
        ),
        _clause(
            "LOAD-08.first",
            "no instructions: the kernel says so before the type, later before reading them",
            expect(load(Part(0, 4, 4096), licence, code), "EINVAL", {"5.10": "E2BIG"}),
        ),
        _clause("LOAD-15", "with all of it the program is loaded", expect(load(filter, two, licence, code), WORKS)),
        *(
            _clause(
                f"LOG-02.{what}",
                "a log has a level, a buffer, and 128 bytes at least",
                expect(load(filter, two, licence, code, *parts), said, later),
            )
            for what, parts, said, later in (
                ("no-buffer", log, "EINVAL", {}),
                ("no-level", (Part(28, 4, 4096), Part(32, 8, Buffer(bytes(4096)))), "EINVAL", {}),
                ("no-size", (Part(24, 4, 1), Part(32, 8, Buffer(bytes(4096)))), "EINVAL", {}),
                (
                    "small",
                    (Part(24, 4, 1), Part(28, 4, 127), Part(32, 8, Buffer(bytes(4096)))),
                    "EINVAL",
                    {"6.12": WORKS},
                ),
                ("large", (Part(24, 4, 1), Part(28, 4, 0xFFFFFFFF), Part(32, 8, Buffer(bytes(4096)))), "EINVAL", {}),
                ("least", (Part(24, 4, 1), Part(28, 4, 128), Part(32, 8, Buffer(bytes(4096)))), WORKS, {}),
                ("only-level", (Part(24, 4, 1),), "EINVAL", {"6.12": WORKS}),
            )
        ),
        _clause(
            "LOG-05",
            "a log that cannot be written",
            expect(load(filter, two, licence, code, *log, Part(32, 8, KERNEL_ADDRESS)), "EFAULT"),
        ),
        _clause(
            "LOG-02.first",
            "the log's parameters come before the verifier",
            expect(
                load(
                    filter,
                    Part(4, 4, 1),
                    licence,
                    Part(8, 8, Buffer(bytes.fromhex("b700000000000000"))),
                    Part(24, 4, 1),
                ),
                "EINVAL",
            ),
        ),
    )
