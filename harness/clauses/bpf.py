"""bpf(2) itself: what is looked at before any command, what each command ignores, and in which order; syscall.c."""

from __future__ import annotations

from harness.abi.bpf import Command
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import MAP
from harness.core_scripts.parts import array, u32, u64
from harness.script.clause import NOTHING, WORKS, Clause, Said, Step, expect
from harness.script.operations import (
    Buffer,
    CreateMap,
    LookupElement,
    MapType,
    Operation,
    Part,
    RawBpf,
    Ref,
    UpdateElement,
)

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
            "An attribute at a kernel address that is also larger than a page gives EFAULT in 4.1, which "
            "checks the address first, and E2BIG in later kernels",
            expect(RawBpf(0, size=PAGE + 1, address=KERNEL_ADDRESS), "EFAULT", {"5.10": "E2BIG"}),
        ),
        _clause(
            "SYS-02.address",
            "An attribute at a kernel address gives EFAULT",
            expect(RawBpf(0, address=KERNEL_ADDRESS), "EFAULT"),
        ),
        _clause("SYS-02.null", "A null pointer as attribute gives EFAULT", expect(RawBpf(0, address=0), "EFAULT")),
        _clause(
            "SYS-03",
            "An attribute larger than a page gives E2BIG, whatever it holds",
            expect(RawBpf(0, HASH_MAP, size=PAGE + 1), "E2BIG"),
        ),
        _clause(
            "SYS-03.unmapped",
            "An attribute larger than a page gives E2BIG even if its memory is not mapped",
            expect(RawBpf(0, HASH_MAP, size=PAGE + 1, length=48), "E2BIG"),
        ),
        _clause(
            "SYS-03.page",
            "An attribute of a whole page is accepted if all bytes behind the fields the kernel knows are zero",
            expect(RawBpf(0, HASH_MAP, size=PAGE), WORKS),
        ),
        _clause(
            "SYS-04",
            "A byte of the attribute that is not zero, behind the fields the kernel knows, gives E2BIG",
            expect(RawBpf(0, (*HASH_MAP, Part(200, 1, 1)), size=256), "E2BIG"),
        ),
        _clause(
            "SYS-04.first",
            "The first byte behind the 48 bytes of attribute that 4.1 knows must be zero; otherwise bpf(2) gives E2BIG",
            expect(RawBpf(0, (*HASH_MAP, Part(48, 1, 1)), size=56), "E2BIG"),
            until="4.1",
        ),
        *(
            _clause(
                f"SYS-04.size-{size}",
                f"The first byte behind the {size} bytes of attribute that {era} knows must be zero; otherwise bpf(2) "
                "gives E2BIG",
                expect(RawBpf(2, (Part(size, 1, 1),), size=size + 8), "E2BIG"),
                since=era,
                until=era,
            )
            for era, size in LATER_SIZES.items()
        ),
        _clause(
            "SYS-05",
            "An attribute larger than the kernel's is accepted if what the kernel does not know is zero",
            expect(RawBpf(0, HASH_MAP, size=1024), WORKS),
        ),
        _clause(
            "SYS-06",
            "Bytes of the attribute behind the fields the kernel knows must be readable; otherwise bpf(2) gives EFAULT",
            expect(RawBpf(0, HASH_MAP, size=512, length=256), "EFAULT"),
        ),
        _clause(
            "SYS-07.short",
            "Fields behind the end of a short attribute count as zero",
            expect(RawBpf(0, HASH_MAP, size=16), WORKS),
        ),
        _clause(
            "SYS-07.too-short",
            "An attribute that ends before max_entries makes no map: the field counts as zero, which gives EINVAL",
            expect(RawBpf(0, HASH_MAP[:3], size=12), "EINVAL"),
        ),
        _clause(
            "SYS-07.guarded",
            "The kernel reads no byte behind the size that the caller gives",
            expect(RawBpf(0, HASH_MAP, size=16, length=16), WORKS),
        ),
        _clause(
            "SYS-08",
            "BPF_MAP_CREATE with an attribute of size 0 asks for a map of type 0, which gives EINVAL",
            expect(RawBpf(0, size=0), "EINVAL"),
        ),
        *(
            _clause(
                f"SYS-09.{command}",
                f"bpf(2) with command {command}, which no kernel has, gives EINVAL",
                expect(RawBpf(command), "EINVAL"),
            )
            for command in (1000, 4096)
        ),
        *(
            _clause(
                f"SYS-09.{command}",
                f"bpf(2) with command {command} gives EINVAL in 4.1, whose last command is 5",
                expect(RawBpf(command), "EINVAL"),
                until="4.1",
            )
            for command in (6, 7, 0x10000, -1)
        ),
        _clause(
            "SYS-10",
            "An attribute that cannot be read gives EFAULT, also with a command that does not exist",
            expect(RawBpf(1000, size=48, length=16), "EFAULT"),
        ),
        _clause(
            "SYS-10.size",
            "An attribute that is larger than a page gives E2BIG, also with a command that does not exist",
            expect(RawBpf(1000, size=PAGE + 1), "E2BIG"),
        ),
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
                f"BPF_{command.name} gives EINVAL if the first byte behind its last field is not zero",
                array("map"),
                expect(RawBpf(command, _element(MAP, KEY, None, Part(last, 1, 1))), "EINVAL"),
            )
            for id, command, last in rows
        ),
        *(
            _clause(
                f"{id}.last",
                f"BPF_{command.name} gives EINVAL if a byte of the attribute far behind its last field is not zero",
                array("map"),
                expect(RawBpf(command, _element(MAP, KEY, None, Part(47, 1, 1))), "EINVAL"),
            )
            for id, command, _ in rows
        ),
        *(
            _clause(
                f"SYS-26.{command.name.lower()}",
                f"BPF_{command.name} gives EINVAL for a byte behind its last field that is not zero, before it looks "
                "at the descriptor",
                expect(RawBpf(command, (Part(0, 4, -1), Part(40, 8, 1))), "EINVAL"),
            )
            for _, command, _ in rows
        ),
        _clause(
            "SYS-20.map-name",
            "A byte behind max_entries that is not zero gives EINVAL in 4.1; in later kernels the map's name is there",
            expect(RawBpf(0, (*HASH_MAP, Part(28, 1, 65))), "EINVAL", {"5.10": WORKS}),
        ),
        _clause(
            "SYS-25",
            "BPF_PROG_LOAD gives EINVAL if a byte behind its fields is not zero; in 4.1 kern_version is the last field",
            expect(RawBpf(Command.PROG_LOAD, (Part(0, 4, 1), Part(44, 4, 1 << 31))), "EINVAL"),
        ),
        _clause(
            "SYS-13",
            "bpf(2) does not look at the bytes between the map's descriptor and the pointer to the key",
            array("map"),
            expect(RawBpf(Command.MAP_UPDATE_ELEM, _element(MAP, KEY, VALUE, Part(4, 4, 0xFFFFFFFF))), 0),
            expect(LookupElement(MAP, u32(0), 8), u64(7)),
        ),
    )


def _elements() -> tuple[Clause, ...]:
    lookup, update, delete, next_key = (Command(number) for number in (1, 2, 3, 4))
    table = RawBpf(0, HASH_MAP, name="map")

    def ending(content: bytes) -> Buffer:
        return Buffer(content, guarded=True)

    filled = (table, UpdateElement(MAP, u32(1), u64(1)))
    rows: tuple[tuple[str, str, RawBpf, Said], ...] = (
        (
            "MAP-20.key",
            "BPF_MAP_LOOKUP_ELEM gives EFAULT if the key cannot be read",
            RawBpf(lookup, _element(MAP, 0, VALUE)),
            "EFAULT",
        ),
        (
            "MAP-20.descriptor-first",
            "BPF_MAP_LOOKUP_ELEM looks at the descriptor before the key: it gives EBADF if both are wrong",
            RawBpf(lookup, _element(-1, 0, 0)),
            "EBADF",
        ),
        (
            "MAP-20.value",
            "BPF_MAP_LOOKUP_ELEM gives EFAULT if the value cannot be written to the caller's memory",
            RawBpf(lookup, _element(MAP, Buffer(u32(1)), 0)),
            "EFAULT",
        ),
        (
            "MAP-20.kernel",
            "BPF_MAP_LOOKUP_ELEM gives EFAULT if the value is to be written to a kernel address",
            RawBpf(lookup, _element(MAP, Buffer(u32(1)), KERNEL_ADDRESS)),
            "EFAULT",
        ),
        (
            "MAP-20.key-end",
            "BPF_MAP_LOOKUP_ELEM gives EFAULT if the caller's memory ends within the key",
            RawBpf(lookup, _element(MAP, ending(u32(1)[:3]), VALUE)),
            "EFAULT",
        ),
        (
            "MAP-20.value-end",
            "BPF_MAP_LOOKUP_ELEM gives EFAULT if the caller's memory ends within the value",
            RawBpf(lookup, _element(MAP, ending(u32(1)), ending(bytes(7)))),
            "EFAULT",
        ),
        (
            "MAP-20.end",
            "BPF_MAP_LOOKUP_ELEM touches nothing behind key and value",
            RawBpf(lookup, _element(MAP, ending(u32(1)), ending(bytes(8)))),
            0,
        ),
        (
            "MAP-24",
            "BPF_MAP_LOOKUP_ELEM of an absent key gives ENOENT, even if the value could not be written",
            RawBpf(lookup, _element(MAP, Buffer(u32(2)), 0)),
            "ENOENT",
        ),
        (
            "MAP-21.key",
            "BPF_MAP_UPDATE_ELEM gives EFAULT if the key cannot be read",
            RawBpf(update, _element(MAP, 0, VALUE)),
            "EFAULT",
        ),
        (
            "MAP-21.value",
            "BPF_MAP_UPDATE_ELEM gives EFAULT if the value cannot be read",
            RawBpf(update, _element(MAP, KEY, 0)),
            "EFAULT",
        ),
        (
            "MAP-21.key-end",
            "BPF_MAP_UPDATE_ELEM gives EFAULT if the caller's memory ends within the key",
            RawBpf(update, _element(MAP, ending(u32(1)[:3]), VALUE)),
            "EFAULT",
        ),
        (
            "MAP-21.value-end",
            "BPF_MAP_UPDATE_ELEM gives EFAULT if the caller's memory ends within the value",
            RawBpf(update, _element(MAP, ending(u32(1)), ending(bytes(7)))),
            "EFAULT",
        ),
        (
            "MAP-21.end",
            "BPF_MAP_UPDATE_ELEM reads nothing behind key and value",
            RawBpf(update, _element(MAP, ending(u32(1)), ending(u64(7)))),
            0,
        ),
        (
            "MAP-21.full",
            "BPF_MAP_UPDATE_ELEM of a further key gives E2BIG if the map is full, with key and value that can be read",
            RawBpf(update, _element(MAP, KEY, VALUE)),
            "E2BIG",
        ),
        (
            "MAP-25",
            "BPF_MAP_UPDATE_ELEM reads the value before it looks at the flags: it gives EFAULT if both are wrong",
            RawBpf(update, _element(MAP, KEY, 0, Part(24, 8, 3))),
            "EFAULT",
        ),
        (
            "MAP-22.key",
            "BPF_MAP_DELETE_ELEM gives EFAULT if the key cannot be read",
            RawBpf(delete, _element(MAP, 0)),
            "EFAULT",
        ),
        (
            "MAP-23.null",
            "BPF_MAP_GET_NEXT_KEY with a null pointer as key returns the first key",
            RawBpf(next_key, _element(MAP, None, VALUE)),
            0,
        ),
        (
            "MAP-23.key",
            "BPF_MAP_GET_NEXT_KEY gives EFAULT if there is a key and it cannot be read",
            RawBpf(next_key, _element(MAP, KERNEL_ADDRESS, VALUE)),
            "EFAULT",
        ),
        (
            "MAP-23.room",
            "BPF_MAP_GET_NEXT_KEY gives EFAULT if the next key cannot be written to the caller's memory",
            RawBpf(next_key, _element(MAP, None, 0)),
            "EFAULT",
        ),
        (
            "MAP-23.end",
            "BPF_MAP_GET_NEXT_KEY gives EFAULT if the caller's memory ends within the next key",
            RawBpf(next_key, _element(MAP, None, ending(bytes(3)))),
            "EFAULT",
        ),
        (
            "MAP-23.none",
            "BPF_MAP_GET_NEXT_KEY behind the last key gives ENOENT, even if a key could not be written",
            RawBpf(next_key, _element(MAP, Buffer(u32(1)), 0)),
            "ENOENT",
        ),
    )
    return (
        *(_clause(id, sentence, *filled, expect(call, said)) for id, sentence, call, said in rows),
        *(
            _clause(
                f"MAP-20.per-cpu-{size}",
                f"BPF_MAP_LOOKUP_ELEM on a per-CPU array with values of 5 bytes writes 8 bytes for each of two CPUs; "
                f"into {size} bytes at the end of the caller's memory it gives {told}",
                CreateMap("map", MapType.PERCPU_ARRAY, 4, 5, 1),
                expect(RawBpf(lookup, _element(MAP, ending(u32(0)), ending(bytes(size)))), said),
                expect(LookupElement(MAP, u32(0), 5, per_cpu=True), bytes(16)),
                since="5.10",
            )
            for size, said, told in ((5, "EFAULT", "EFAULT"), (15, "EFAULT", "EFAULT"), (16, 0, "0"))
        ),
        _clause(
            "MAP-40.key",
            "BPF_MAP_DELETE_ELEM on an array reads the key and gives EFAULT if it cannot, although nothing "
            "can be deleted",
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
        _clause(
            "LOAD-02",
            "BPF_PROG_LOAD gives EFAULT if the licence cannot be read",
            expect(load(filter, two, code), "EFAULT"),
        ),
        _clause(
            "LOAD-02.first",
            "BPF_PROG_LOAD with 2^30 instructions and no licence gives EFAULT, because the licence is read "
            "first; since 6.12 E2BIG, because the instructions are counted first",
            expect(load(filter, Part(4, 4, 1 << 30)), "EFAULT", {"6.12": "E2BIG"}),
        ),
        _clause(
            "LOAD-01.instructions",
            "BPF_PROG_LOAD gives EFAULT if the instructions cannot be read",
            expect(load(filter, two, licence), "EFAULT"),
        ),
        _clause(
            "LOAD-08.first",
            "BPF_PROG_LOAD of no instructions and of an unknown type gives EINVAL in 4.1, and E2BIG in later "
            "kernels, which count the instructions before they look at the type",
            expect(load(Part(0, 4, 4096), licence, code), "EINVAL", {"5.10": "E2BIG"}),
        ),
        _clause(
            "LOAD-15",
            "BPF_PROG_LOAD with type, instructions and licence loads the program",
            expect(load(filter, two, licence, code), WORKS),
        ),
        *(
            _clause(
                f"LOG-02.{what}",
                sentence,
                expect(load(filter, two, licence, code, *parts), said, later),
            )
            for what, sentence, parts, said, later in (
                ("no-buffer", "A log with a level and a size but no buffer gives EINVAL", log, "EINVAL", {}),
                (
                    "no-level",
                    "A log with a buffer and a size but no level gives EINVAL",
                    (Part(28, 4, 4096), Part(32, 8, Buffer(bytes(4096)))),
                    "EINVAL",
                    {},
                ),
                (
                    "no-size",
                    "A log with a level and a buffer but no size gives EINVAL",
                    (Part(24, 4, 1), Part(32, 8, Buffer(bytes(4096)))),
                    "EINVAL",
                    {},
                ),
                (
                    "small",
                    "A log of 127 bytes gives EINVAL; since 6.12 it may be as short as that",
                    (Part(24, 4, 1), Part(28, 4, 127), Part(32, 8, Buffer(bytes(4096)))),
                    "EINVAL",
                    {"6.12": WORKS},
                ),
                (
                    "large",
                    "A log of 2^32 - 1 bytes gives EINVAL",
                    (Part(24, 4, 1), Part(28, 4, 0xFFFFFFFF), Part(32, 8, Buffer(bytes(4096)))),
                    "EINVAL",
                    {},
                ),
                (
                    "least",
                    "A log may have 128 bytes",
                    (Part(24, 4, 1), Part(28, 4, 128), Part(32, 8, Buffer(bytes(4096)))),
                    WORKS,
                    {},
                ),
                (
                    "only-level",
                    "A level without buffer and size gives EINVAL; since 6.12 such a program is loaded",
                    (Part(24, 4, 1),),
                    "EINVAL",
                    {"6.12": WORKS},
                ),
            )
        ),
        _clause(
            "LOG-05",
            "BPF_PROG_LOAD gives EFAULT if the log cannot be written to the caller's memory",
            expect(load(filter, two, licence, code, *log, Part(32, 8, KERNEL_ADDRESS)), "EFAULT"),
        ),
        _clause(
            "LOG-02.first",
            "The parameters of the log are checked before the program: with a level and no buffer, a program "
            "without exit gives EINVAL",
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
