# SPDX-License-Identifier: MIT
"""Distributions: how their kernels differ from those of kernel.org. Each is a TOML file, built in or a user's.

named("debian")                       # one of images/distributions, or of the user's folder
named("./mine.toml")                  # any file
detect(options, "#1 SMP Debian ...")  # the one that a kernel's configuration and version show, and why

images/distributions.toml describes what such a file can have.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hil import directories, resources
from hil.errors import UserError

ALWAYS, NEVER = "4.1", ""
_KEYS = ("name", "patches", "settings", "configuration")
_RELEASE = re.compile(r"\d+\.\d+", re.ASCII)
_FORM = "images/distributions.toml lists what is possible"


@dataclass(frozen=True)
class Distribution:
    """One distribution. `settings` are the values below /proc/sys that differ from upstream's, where the release has
    the setting. `options` are those of the configuration (`CONFIG_*`), each with the first release whose kernels set
    it, "" for none. `patches` are named as in images/distributions.toml."""

    name: str
    settings: Mapping[str, int] = field(default_factory=dict, hash=False)
    options: Mapping[str, str] = field(default_factory=dict, hash=False)
    patches: frozenset[str] = frozenset()

    @property
    def facts(self) -> Mapping[str, int]:
        """The settings, and 1 or 0 for each patch, by name."""
        return {**self.settings, **{patch: int(patch in self.patches) for patch in facts("patch")}}

    def of_release(self, known: Collection[str]) -> Distribution:
        """The distribution without the settings that a release does not have (it has those in `known`): what they are
        set to elsewhere decides nothing."""
        return replace(self, settings={path: value for path, value in self.settings.items() if path in known})

    def declaration(self) -> dict[str, Any]:
        """The content of a file that declares this distribution; the inverse of `declared`."""
        return {
            "name": self.name,
            "patches": sorted(self.patches),
            "settings": dict(self.settings),
            "configuration": {option: since or False for option, since in self.options.items()},
        }


@cache
def built_in() -> Mapping[str, Distribution]:
    """The built-in distributions by the name that a user gives."""
    files = sorted((resources.folder("images") / "distributions").glob("*.toml"), reverse=True)
    return MappingProxyType({path.stem: read(path) for path in files})


def of_catalogue(era: str) -> Distribution:
    """The distribution of the catalogue's kernels of an era."""
    return built_in()["vanilla" if era == "4.1" else "debian"]


def folder() -> Path:
    """The folder in which a user's own distributions are found by name."""
    return directories.config() / "distributions"


def named(name: str) -> Distribution:
    """The distribution of that name or file; raises UserError when there is none, or its file is invalid."""
    if name in built_in():
        return built_in()[name]
    path = Path(name) if "/" in name or name.endswith(".toml") else folder() / f"{name}.toml"
    if path.is_file():
        return read(path)
    near = get_close_matches(name, [*built_in(), *(path.stem for path in folder().glob("*.toml"))], 1)
    raise UserError(
        f"there is no distribution {name}" if path.parent == folder() else f"there is no file {path}",
        remedy=f"did you mean {near[0]}?"
        if near
        else f"name one of {', '.join(built_in())}, a file, or one in {folder()}",
    )


def read(path: Path) -> Distribution:
    """The distribution that a file declares; raises UserError, which names the file, when it is invalid."""
    try:
        return declared(tomllib.loads(path.read_text()), str(path))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is not TOML: {error}", remedy="see images/distributions/debian.toml for an example"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None


def declared(table: Mapping[str, Any], where: str) -> Distribution:
    """The distribution of a declaration, which is in the file `where`; raises UserError when it is invalid."""
    for key in table:
        _check_known("field", key, _KEYS, where)
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise UserError(f"{where} has no name of the distribution", remedy='begin it with name = "..."')
    patches = table.get("patches", [])
    if not isinstance(patches, list):
        raise UserError(f"patches in {where} is not a list", remedy=f'write patches = ["{next(iter(facts("patch")))}"]')
    for patch in patches:
        _check_known("patch", patch, facts("patch"), where)
    return Distribution(
        name,
        MappingProxyType(dict(_settings(_table(table, "settings", where), where))),
        MappingProxyType(dict(_options(_table(table, "configuration", where), where))),
        frozenset(patches),
    )


@cache
def facts(kind: str) -> Mapping[str, Mapping[str, str]]:
    """The rows of images/distributions.toml of one kind ("setting", "option" or "patch") by name."""
    table = tomllib.loads((resources.folder("images") / "distributions.toml").read_text())
    return MappingProxyType(table[kind])


def detect(options: Mapping[str, str], version: str = "") -> tuple[Distribution, str]:
    """The distribution that a kernel's configuration shows, with the kernel's own options, and the reason. `version` is
    the text after the release in the image's banner: "#1 SMP Debian 6.1.192-2 (2026-11-16)"."""
    for patch, fact in facts("patch").items():
        if fact["option"] in options:
            whose = next(one for one in built_in().values() if patch in one.patches)
            return of_kernel(whose, options), f"its configuration has {fact['option']} of {whose.name}'s patch"
    for one in built_in().values():
        if re.search(rf"\b{re.escape(one.name)}\b", version):
            return of_kernel(one, options), f"its image has the version {version}"
    plain = next(one for one in built_in().values() if not one.patches and not one.settings)
    compiler = options.get("CONFIG_CC_VERSION_TEXT", "").strip('"')
    made = f", and the compiler ({compiler}) does not show where the sources come from" if compiler else ""
    return of_kernel(plain, options), f"its configuration shows no distribution's patch{made}"


def of_kernel(distribution: Distribution, options: Mapping[str, str], *, declared: bool = False) -> Distribution:
    """The distribution of one kernel whose configuration sets `options`. Settings that were `declared` by the user
    stay; otherwise the configuration takes precedence."""
    has = {option: ALWAYS if option in options else NEVER for option in facts("option")}
    configured = {"kernel/unprivileged_bpf_disabled": 2 if has["CONFIG_BPF_UNPRIV_DEFAULT_OFF"] else 0}
    first, then = (configured, distribution.settings) if declared else (distribution.settings, configured)
    return Distribution(
        distribution.name, MappingProxyType({**first, **then}), MappingProxyType(has), distribution.patches
    )


def _table(table: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    inner = table.get(key, {})
    if not isinstance(inner, dict):
        raise UserError(f"{key} in {where} is not a table", remedy=f"write [{key}], and its values below")
    return inner


def _settings(table: Mapping[str, Any], where: str) -> Iterable[tuple[str, int]]:
    for name, value in table.items():
        path = name.replace(".", "/")
        _check_known("setting", path, facts("setting"), where)
        if not isinstance(value, int) or isinstance(value, bool):
            raise UserError(f"the setting {name} in {where} is {value!r}, which is not a number")
        yield path, value


def _options(table: Mapping[str, Any], where: str) -> Iterable[tuple[str, str]]:
    for name, value in table.items():
        _check_known("option", name, facts("option"), where)
        if value is not False and value is not True and not _RELEASE.fullmatch(str(value)):
            raise UserError(
                f"the option {name} in {where} is {value!r}",
                remedy='write the first release whose kernels set it, "6.12" for one, or true or false',
            )
        yield name, ALWAYS if value is True else NEVER if value is False else str(value)


def _check_known(kind: str, name: Any, known: Iterable[str], where: str) -> None:
    if name not in known:
        near = get_close_matches(str(name), [*known], 1)
        raise UserError(
            f"{where} has the unknown {kind} {name!r}", remedy=f"did you mean {near[0]}?" if near else _FORM
        )
