# SPDX-License-Identifier: MIT
"""The recipes in images/kernels."""

import tomllib
from collections import Counter

import pytest

from hil import resources
from hil.arch import architecture, architectures, architectures_with
from hil.errors import UserError
from hil.kernels import catalogue
from hil.kernels.building import recipe
from hil.kernels.building.options import Option
from hil.kernels.catalogue import Tarball

NAMES = [name for name, known in catalogue.entries().items() if isinstance(known.source, Tarball)]


@pytest.mark.parametrize(("name", "arch"), [(name, arch.name) for name in NAMES for arch in architectures_with(name)])
def test_what_is_named_by_its_sources_can_be_built(name: str, arch: str) -> None:
    loaded = recipe.load(name, architecture(arch))
    twice = [option for option, times in Counter(item.name for item in loaded.options).items() if times > 1]
    assert not twice
    assert not loaded.impossible.keys() & {item.name for item in loaded.options}
    assert all(loaded.impossible.values())


@pytest.mark.parametrize("name", NAMES)
def test_everything_has_its_reason(name: str) -> None:
    folder = resources.folder("images") / "kernels" / name
    groups = tomllib.loads((folder / "options.toml").read_text())["group"]
    toolchain = tomllib.loads((folder / "toolchain.toml").read_text())
    for row in (*groups, *toolchain["flag"], *toolchain["program"]):
        assert row["why"], row
        assert set(row.get("architectures", ())) | set(row.get("impossible", ())) <= set(architectures()), row


def test_kprobes_of_4_1() -> None:
    x86, arm64 = (recipe.load("linux-4.1", architecture(arch)) for arch in ("x86_64", "arm64"))
    for name in ("KPROBES", "KPROBE_EVENT", "BPF_EVENTS"):
        assert Option(name, "y") in x86.options
        assert name in arm64.impossible
    assert x86.impossible == {}


def test_the_kernel_itself_has_no_common_symbols() -> None:
    """With -fcommon 4.1 crashes in register_console()."""
    for arch in architectures_with("linux-4.1"):
        flags = recipe.load("linux-4.1", arch).flags
        assert "-fcommon" in flags["HOSTCC"]
        assert "-fcommon" not in flags["CC"]


def test_flags_of_one_architecture() -> None:
    x86, arm64 = (recipe.load("linux-4.1", architecture(arch)).flags["CC"] for arch in ("x86_64", "arm64"))
    assert "-fcf-protection=none" in x86 and "-fcf-protection=none" not in arm64
    assert "-mno-outline-atomics" in arm64 and "-mno-outline-atomics" not in x86


def test_no_recipe() -> None:
    with pytest.raises(UserError, match="no recipe to build debian-12"):
        recipe.load("debian-12", architecture("arm64"))
