# SPDX-License-Identifier: MIT
"""Distributions are data: those of the bench and those that a user declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil import directories
from hil.arch import architecture
from hil.errors import UserError
from hil.kernels import distributions, importing, store
from hil.kernels.commands import kernels
from hil.kernels.distributions import NEVER, built_in, declared, detect, facts, named, of_kernel
from hil.kernels.entry import Parts

from .conftest import bzimage

Build = Callable[..., Parts]
RESTRICTED = {"CONFIG_SECURITY_PERF_EVENTS_RESTRICT": "y"}
ACME = """\
name = "Acme Linux"
patches = ["perf-event-restrict"]
[settings]
"kernel.perf_event_paranoid" = 4
"kernel/unprivileged_bpf_disabled" = 1
[configuration]
CONFIG_X86_KERNEL_IBT = "6.1"
CONFIG_BPF_UNPRIV_DEFAULT_OFF = false
"""


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    path = tmp_path / "acme.toml"
    path.write_text(ACME)
    return path


def test_built_in_distributions_have_the_form_of_a_users() -> None:
    assert list(built_in()) == ["vanilla", "debian"]
    for one in built_in().values():
        assert declared(one.declaration(), "itself") == one


def test_a_declared_distribution_is_that_of_its_file(acme: Path) -> None:
    one = named(str(acme))
    assert one.name == "Acme Linux" and one.patches == {"perf-event-restrict"}
    assert one.settings == {"kernel/perf_event_paranoid": 4, "kernel/unprivileged_bpf_disabled": 1}
    assert one.options == {"CONFIG_X86_KERNEL_IBT": "6.1", "CONFIG_BPF_UNPRIV_DEFAULT_OFF": NEVER}
    assert declared(one.declaration(), "itself") == one


def test_one_in_the_users_folder_has_a_name(acme: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with pytest.raises(UserError, match="there is no distribution acme"):
        named("acme")
    assert distributions.folder() == directories.config() / "distributions"
    distributions.folder().mkdir(parents=True)
    acme.rename(distributions.folder() / "acme.toml")
    assert named("acme").name == "Acme Linux"
    with pytest.raises(UserError, match=r"no distribution acne.*did you mean acme"):
        named("acne")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name = ", "is not TOML"),
        ("", "has no name of the distribution"),
        ("name = 3", "has no name of the distribution"),
        ('name = "a"\nsetting = 1', r"unknown field 'setting'.*did you mean settings"),
        ('name = "a"\npatches = "x"', "patches in .* is not a list"),
        ('name = "a"\npatches = ["perf-event-restricts"]', r"unknown patch .*did you mean perf-event-restrict\?"),
        ('name = "a"\npatches = [3]', r"unknown patch 3"),
        ('name = "a"\nsettings = 1', "settings in .* is not a table"),
        ('name = "a"\n[settings]\n"kernel.perf_event_paranoia" = 1', r"did you mean kernel/perf_event_paranoid\?"),
        ('name = "a"\n[settings]\n"net.core.x" = 1', r"unknown setting 'net/core/x'"),
        (
            'name = "a"\n[settings]\n"kernel.kptr_restrict" = "1"',
            "is '1', which is not a number",
        ),
        ('name = "a"\n[settings]\n"kernel.kptr_restrict" = true', "is True, which is not a number"),
        ('name = "a"\n[configuration]\nCONFIG_X86_KERNEL_IBTS = true', r"did you mean CONFIG_X86_KERNEL_IBT\?"),
        ('name = "a"\n[configuration]\nCONFIG_X86_KERNEL_IBT = "y"', "is 'y'.*the first release"),
    ],
)
def test_the_error_names_what_is_wrong_in_a_file(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=complaint) as error:
        named(str(path))
    assert str(path) in str(error.value)


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(UserError, match=r"there is no file mine\.toml"):
        named("./mine.toml")


def test_configuration_and_image_tell_which_one_it_is() -> None:
    plain, why = detect({"CONFIG_CC_VERSION_TEXT": '"gcc (Debian 12.2.0-14) 12.2.0"'}, "#1 SMP Mon Jan 1 2024")
    assert plain.name == "kernel.org" and "the compiler (gcc (Debian 12.2.0-14) 12.2.0) does not show" in why
    patched, why = detect(RESTRICTED)
    assert patched.name == "Debian" and "CONFIG_SECURITY_PERF_EVENTS_RESTRICT" in why
    called, why = detect({}, "#1 SMP Debian 6.1.192-2 (2026-11-16)")
    assert called.name == "Debian" and why == "its image has the version #1 SMP Debian 6.1.192-2 (2026-11-16)"


def test_a_configuration_is_believed_but_where_somebody_declared_a_setting(acme: Path) -> None:
    off = {"CONFIG_BPF_UNPRIV_DEFAULT_OFF": "y"}
    assert of_kernel(built_in()["debian"], {}).settings["kernel/unprivileged_bpf_disabled"] == 0
    assert of_kernel(built_in()["vanilla"], off).settings["kernel/unprivileged_bpf_disabled"] == 2
    theirs = of_kernel(named(str(acme)), off, declared=True)
    assert theirs.settings["kernel/unprivileged_bpf_disabled"] == 1
    assert theirs.options["CONFIG_X86_KERNEL_IBT"] == NEVER and set(theirs.options) == set(facts("option"))


def test_the_entry_of_a_kernel_stands_alone(cached: Path, build: Build, acme: Path) -> None:
    importing.add("mine", build(), distribution=named(str(acme)))
    acme.unlink()
    kernel = store.get("mine", architecture("x86_64"))
    assert kernel.distribution is not None and kernel.distribution.name == "Acme Linux"
    assert kernel.distribution.settings["kernel/perf_event_paranoid"] == 4


def test_a_distribution_that_only_the_image_shows_is_kept(cached: Path, build: Build) -> None:
    parts = build()
    parts.image.write_bytes(bzimage("4.1.52").replace(b"#1 SMP", b"#1 SMP Debian 4.1.52-1"))
    kernel = importing.add("mine", parts)
    assert kernel.distribution is not None and kernel.distribution.name == "Debian"
    assert importing.add("other", build("arm64")).distribution is None


def test_import_prints_the_chosen_records_and_why(cached: Path, build: Build, acme: Path) -> None:
    parts = build()
    files = ["--image", str(parts.image), "--config", str(parts.config)]
    printed = CliRunner().invoke(kernels, ["import", "mine", *files], catch_exceptions=False).stdout
    assert "judged by the rules of Linux 4.1: its version is 4.1.52" in printed
    assert "as a kernel of kernel.org: its configuration shows no distribution's patch" in printed
    more = ["--as", "4.4", "--distribution", str(acme)]
    printed = CliRunner().invoke(kernels, ["import", "other", *files, *more], catch_exceptions=False).stdout
    assert "judged by the rules of Linux 4.4: chosen by --as" in printed
    assert "as a kernel of Acme Linux: chosen by --distribution" in printed


@pytest.mark.parametrize("part", ["vmlinux", "system_map"])
def test_an_empty_file_is_refused(cached: Path, build: Build, tmp_path: Path, part: str) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(UserError, match=rf"{empty} is empty.*leave --{part.replace('_', '-')} out"):
        importing.add("mine", replace(build(), **{part: empty}))
