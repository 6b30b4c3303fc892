# SPDX-License-Identifier: MIT
"""What kernels are told of a program's own functions and lines."""

from __future__ import annotations

import pytest

from harness.abi.btf import Linkage
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.objects.btf.excerpt import Excerpt
from harness.objects.btf.reader import Btf
from harness.objects.btf.sanitising import UNKNOWN, known
from harness.objects.btf.types import Kind, Type
from harness.objects.kernel_facts import KernelFacts
from harness.objects.loading import Loader, Stage
from harness.objects.own_types import OwnTypes, own_types
from harness.objects.preparing import prepare
from harness.objects.reader import read
from harness.objects.reasons import Refused
from harness.script.operations import Buffer, LoadProgram, RawBpf, Ref, Script
from harness.script.outcome import Outcome, Unpredicted
from tests.harness.check.trying import no_types
from tests.harness.objects.building import Called, typed
from tests.harness.objects.types import Types

NEW = (7, 2)
STV_HIDDEN = 2


def told(called: Called, release: tuple[int, int] = NEW) -> OwnTypes | str:
    file = read(typed(called))
    return own_types(file.programs[0], file.btf, release)


def loaded(own: OwnTypes | str) -> Btf:
    """The types as the kernel gets them."""
    assert isinstance(own, OwnTypes)
    content = own.load.parts[0].value
    assert isinstance(content, Buffer) and own.load.parts[1].value == len(content.content)
    return Btf(content.content)


def test_each_function_has_its_type_and_a_line() -> None:
    own = told(Called())
    types = loaded(own)
    assert isinstance(own, OwnTypes)
    assert [(at, types.type(number).name) for at, number in own.types.functions] == [(0, "main"), (4, "called")]
    assert [(at, types.string(file), types.string(text), place >> 10) for at, file, text, place in own.types.lines] == [
        (0, "typed.c", "int main(void *ctx)", 3),
        (4, "typed.c", "int called(int argument)", 1),
    ]


@pytest.mark.parametrize(
    ("called", "release", "alone"),
    [
        (Called(), NEW, (4,)),
        (Called(), (5, 5), ()),
        (Called(linkage=Linkage.STATIC), NEW, ()),
        (Called(visibility=STV_HIDDEN), NEW, ()),
    ],
)
def test_a_global_function_is_verified_alone(called: Called, release: tuple[int, int], alone: tuple[int, ...]) -> None:
    own = told(called, release)
    assert isinstance(own, OwnTypes) and own.types.globals == alone
    linkages = {loaded(own).type(number).linkage for at, number in own.types.functions if at}
    assert linkages == {Linkage.GLOBAL if alone else Linkage.STATIC}


@pytest.mark.parametrize(
    ("called", "release", "why"),
    [(Called(typed=False), NEW, "does not have of called"), (Called(), (4, 19), "")],
)
def test_without_types_it_is_said_why(called: Called, release: tuple[int, int], why: str) -> None:
    own = told(called, release)
    assert isinstance(own, str) and why in own and bool(own) is bool(why)


def test_an_object_without_types_has_nothing_to_tell() -> None:
    file = read(typed())
    assert own_types(file.programs[0], None, NEW) == ""


@pytest.mark.parametrize("row", UNKNOWN, ids=lambda row: f"{row.kind.name}-{row.since}")
def test_what_a_release_does_not_know_is_replaced_before_it(row: object) -> None:
    one = next(one for one in UNKNOWN if one is row)
    type = Type(one.kind, "name", 8, flag=one.affects(Type(one.kind, "", 8, flag=True)), linkage=Linkage.GLOBAL)
    before = known(type, (one.since[0], one.since[1] - 1) if one.since[1] else (5, 19))
    assert before != type
    assert known(type, NEW) == type


def test_only_what_functions_are_made_of_is_written() -> None:
    types = Types()
    number = types.int("u64", 8, 0)
    types.section(".maps", (types.variable("other", number), 0, 8))
    shape = types.struct("shape", 24, list=(types.array(types.pointer(number), 3), 0))
    real = types.add(Kind.FLOAT, "double", 8)
    wide = types.add(Kind.ENUM64, "wide", 8, types.string("most"), 7, 1, count=1, flag=True)
    names = [word for name, type in (("a", shape), ("b", real), ("c", wide)) for word in (types.string(name), type)]
    function = types.add(Kind.FUNC, "f", types.add(Kind.FUNC_PROTO, "", number, *names, count=3), count=1)
    tag = types.add(Kind.DECL_TAG, "nonnull", function, 1)
    whole = Btf(types.content())
    assert whole.type(tag).component == 1

    def seen(release: tuple[int, int]) -> list[str]:
        excerpt = Excerpt(whole, release, [function])
        written = Btf(excerpt.writer.blob())
        _, proto = written.plain(written.type(excerpt.number(function)).word)
        kinds = [written.type(at).kind.name for at in range(1, len(written))]
        assert "VAR" not in kinds and "DATASEC" not in kinds
        return [written.say(member.type) for member in proto.members] + kinds[-2:]

    new = Btf(Excerpt(whole, NEW, [function]).writer.blob())
    assert [m.offset for at in range(1, len(new)) for m in new.type(at).members if m.name == "most"] == [(1 << 32) + 7]
    assert seen(NEW) == ["struct shape", "double", "enum wide", "DECL_TAG", "INT"]
    assert seen((5, 10)) == ["struct shape", "struct (anonymous)", "wide", "FUNC", "INT"]


def test_damaged_types_are_refused() -> None:
    types = Types()
    function = types.add(Kind.FUNC, "f", 99)
    with pytest.raises(Refused):
        Excerpt(Btf(types.content()), NEW, [function])
    types = Types()
    variable = types.variable("v", types.int())
    function = types.add(Kind.FUNC, "f", types.pointer(variable))
    with pytest.raises(Refused, match="variable"):
        Excerpt(Btf(types.content()), NEW, [function])


@pytest.mark.parametrize(("called", "certain"), [(Called(linkage=0), True), (Called(), False)])
def test_the_model_judges_what_is_verified_with_its_callers(called: Called, certain: bool) -> None:
    facts = KernelFacts("debian-12/x86_64", "x86_64", 0x601C0, {}, 2, no_types)
    loader = Loader(prepare(read(typed(called)), facts))
    steps = tuple(loader.load(loader.prepared.file.programs[0]))
    assert [step.stage for step in steps] == [Stage.TYPES, Stage.LOAD]
    types, load = (step.operation for step in steps)
    assert isinstance(types, RawBpf) and isinstance(load, LoadProgram)
    assert load.types is not None and load.types.btf == Ref("types of main")
    made, said = ModelExecutor(Environment("6.1", "x86_64", 0x601C0, cpus=2)).run(Script("s", "", (types, load)))
    assert isinstance(made, Outcome) and made.errno is None
    if certain:
        assert isinstance(said, Outcome) and said.errno is None
    else:
        assert isinstance(said, Unpredicted) and "global functions" in str(said.reason)


def test_the_model_knows_only_what_compilers_of_c_write() -> None:
    own = told(Called(name="no name"))
    assert isinstance(own, OwnTypes)
    (said,) = ModelExecutor(Environment("6.1", "x86_64", 0x601C0, cpus=2)).run(Script("s", "", (own.load,)))
    assert isinstance(said, Unpredicted)
