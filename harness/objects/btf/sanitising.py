# SPDX-License-Identifier: MIT
"""What kernels do not know of BTF, and what stands for it there: bpf_object__sanitize_btf(), tools/lib/bpf/libbpf.c
(7.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.abi.btf import Linkage
from harness.objects.btf.types import Kind, Type
from harness.release import Release

FUNCTIONS_SINCE: Release = (5, 0)
"""The release since which programs are loaded with the types of their functions, and with lines: 838e96904ff3,
c454a46b5efd. Before, since 4.18, there were only types of maps."""


@dataclass(frozen=True)
class Unknown:
    """What a kernel before `since`, of that `commit`, does not know: types of `kind` for which `affects` is true.
    `instead` returns the type that stands for one, None where it can be left out, for the `reason` that is told."""

    kind: Kind
    since: Release
    commit: str
    reason: str
    instead: Callable[[Type], Type | None]
    affects: Callable[[Type], bool] = lambda _: True


def _number(type: Type) -> Type:
    return Type(Kind.INT, type.name or "enum64", type.word, signed=type.signed, bits=8 * type.word)


def _const(type: Type) -> Type:
    return Type(Kind.CONST, "", type.word)


UNKNOWN: tuple[Unknown, ...] = (
    Unknown(
        Kind.FUNC,
        (5, 6),
        "51c39bb1d5d1",
        "every function is verified with its callers, as a static one",
        lambda type: replace(type, linkage=Linkage.STATIC),
        lambda type: type.linkage == Linkage.GLOBAL,
    ),
    Unknown(
        Kind.FLOAT,
        (5, 13),
        "b1828f0b0482",
        "an empty structure has the size of a floating-point number",
        lambda type: Type(Kind.STRUCT, "", type.word),
    ),
    Unknown(Kind.DECL_TAG, (5, 16), "b5ea834dde6b", "nothing refers to a tag of a declaration", lambda _: None),
    Unknown(
        Kind.TYPE_TAG,
        (5, 17),
        "8c42d2fa4eee",
        "a tag refers to its type as `const` does",
        _const,
    ),
    Unknown(Kind.ENUM64, (6, 0), "6089fb325cf7", "a number has the size of the enumeration", _number),
    Unknown(
        Kind.ENUM,
        (6, 0),
        "6089fb325cf7",
        "the sign of an enumeration is told by its flag only since",
        lambda type: replace(type, flag=False),
        lambda type: type.flag,
    ),
    Unknown(
        Kind.DECL_TAG,
        (6, 15),
        "53ee0d66d7a6",
        "a tag that is an attribute says nothing to a kernel that has no such",
        lambda _: None,
        lambda type: type.flag,
    ),
    Unknown(
        Kind.TYPE_TAG,
        (6, 15),
        "53ee0d66d7a6",
        "as above, and it refers to its type as `const` does",
        _const,
        lambda type: type.flag,
    ),
)


def known(type: Type, release: Release) -> Type | None:
    """Returns the type as a kernel of that release takes it; None where it is left out."""
    for one in UNKNOWN:
        if release < one.since and type.kind is one.kind and one.affects(type):
            return one.instead(type)
    return type
