# SPDX-License-Identifier: MIT
"""The private apt, with programs instead of the host's that print the output of apt 2.6."""

import hashlib
import os
import re
import stat
from pathlib import Path

import pytest

from hil.arch import architecture
from hil.debian import apt
from hil.debian.apt import Apt, PackageGone
from hil.debian.package import Package
from hil.errors import BenchError, UserError

from .test_package import INDEX

CONTENT = b"!<arch>\n"
BUSYBOX = Package("busybox", "1:1.35-1", "arm64", "pool/b.deb", 8, hashlib.sha256(CONTENT).hexdigest())

_PROGRAM = """\
#!/bin/sh
echo "$(basename "$0") $*" >>"{folder}/calls"
case "$(basename "$0") $1" in {cases}
esac
"""


class Host:
    """A host whose apt runs the shell commands of a test, and records its calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases: dict[str, str] = {}
        for name in ("apt-get", "apt-cache", "apt-config"):
            self._write(name)

    def on(self, call: str, shell: str) -> None:
        self.cases[call] = shell
        for name in ("apt-get", "apt-cache", "apt-config"):
            self._write(name)

    def calls(self, prefix: str) -> list[str]:
        lines = (self.folder / "calls").read_text().splitlines() if (self.folder / "calls").exists() else []
        return [line for line in lines if line.startswith(prefix)]

    def _write(self, name: str) -> None:
        cases = "\n".join(f'"{call}") {shell}\n;;' for call, shell in self.cases.items())
        path = self.folder / name
        path.write_text(_PROGRAM.format(folder=self.folder, cases=cases))
        path.chmod(0o755)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    folder = tmp_path / "bin"
    folder.mkdir()
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HIL_DEBIAN_MIRROR", "http://mirror.test/debian")
    monkeypatch.setattr(apt, "KEYRING", keyring)
    return Host(folder)


def root(tmp_path: Path, name: str) -> Path:
    return tmp_path / "cache/hil/debian" / name


def test_a_released_suite_has_updates_and_security_checked_by_debians_keys(host: Host, tmp_path: Path) -> None:
    Apt("bookworm", architecture("arm64")).update()
    sources = (root(tmp_path, "bookworm-arm64") / "etc/apt/sources.list.d/debian.sources").read_text()
    assert "URIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\n" in sources
    assert "URIs: http://mirror.test/debian-security\nSuites: bookworm-security\n" in sources
    assert sources.count("Signed-By: ") == 2
    assert "trusted" not in sources.lower()


def test_sid_has_no_pockets(host: Host) -> None:
    assert Apt("sid", architecture("x86_64")).uris == ["http://mirror.test/debian"]


def test_a_suite_of_backports_comes_alone(host: Host, tmp_path: Path) -> None:
    Apt("trixie-backports", architecture("arm64")).update()
    sources = (root(tmp_path, "trixie-backports-arm64") / "etc/apt/sources.list.d/debian.sources").read_text()
    assert re.findall(r"Suites: (.*)", sources) == ["trixie-backports"]


def test_which_suites_name_a_package(host: Host) -> None:
    lines = (
        "busybox |  1:1.35-1 | http://mirror.test/debian trixie/main arm64 Packages",
        "busybox |  1:1.35-1 | http://mirror.test/debian-security trixie-security/main arm64 Packages",
        "busybox | 1:1.36-1 | http://mirror.test/debian trixie-updates/main arm64 Packages",
    )
    host.on("apt-cache madison", "cat <<'END'\n" + "\n".join(lines) + "\nEND")
    archive = Apt("trixie", architecture("arm64"))
    assert archive.suites_of([BUSYBOX]) == {BUSYBOX: ("trixie", "trixie-security")}
    assert archive.suites_of([]) == {}


def test_of_the_host_only_how_to_reach_a_mirror_is_taken(host: Host, tmp_path: Path) -> None:
    dump = 'Acquire::http::Proxy "http://p";\nAcquire::AllowInsecureRepositories "1";\nAPT::Update::Post-Invoke:: "rm";'
    host.on("apt-config dump", f"echo '{dump}'")
    Apt("sid", architecture("x86_64")).update()
    configuration = (root(tmp_path, "sid-amd64") / "apt.conf").read_text()
    assert 'Acquire::http::Proxy "http://p";' in configuration
    assert "Post-Invoke" not in configuration
    assert re.findall(r"AllowInsecureRepositories (.*)", configuration) == ['"false";']


def test_fresh_lists_are_used_again_until_the_mirror_changes(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    Apt("sid", architecture("arm64")).update()
    Apt("sid", architecture("arm64")).update()
    assert len(host.calls("apt-get update")) == 1
    Apt("sid", architecture("arm64")).update(max_age=0)
    assert len(host.calls("apt-get update")) == 2
    monkeypatch.setenv("HIL_DEBIAN_MIRROR", "http://other.test/debian")
    Apt("sid", architecture("arm64")).update()
    assert len(host.calls("apt-get update")) == 3


# apt-get update ends with 0 when a mirror cannot be reached.
_UNREACHABLE = "echo 'W: Failed to fetch http://mirror.test/ Could not connect' >&2"


def test_without_network_and_lists_one_error_names_both(host: Host) -> None:
    host.on("apt-get update", _UNREACHABLE)
    with pytest.raises(BenchError) as caught:
        Apt("trixie", architecture("arm64")).resolve("busybox")
    assert "trixie/arm64" in str(caught.value)
    assert "http://mirror.test/debian" in str(caught.value)
    assert "HIL_DEBIAN_MIRROR" in str(caught.value)


def test_lists_that_are_expired_are_not_the_networks_fault(host: Host) -> None:
    said = "E: Release file for http://mirror.test/dists/sid/InRelease is expired (invalid since 22d 3h)."
    host.on("apt-get update", f"echo 'W: a warning' >&2; echo '{said}' >&2; exit 100")
    with pytest.raises(BenchError, match=r"from http://mirror\.test/debian: E: Release file .* is expired") as caught:
        Apt("sid", architecture("arm64")).resolve("busybox")
    assert "clock" in caught.value.remedy and "network" not in caught.value.remedy


def test_without_network_old_lists_are_used_and_reported(host: Host) -> None:
    host.on("apt-get update", _UNREACHABLE)
    host.on("apt-get indextargets", f"echo sid {host.folder}/apt-get")
    host.on("apt-cache show", f"cat <<'END'\n{INDEX}\nEND")
    messages: list[str] = []
    archive = Apt("sid", architecture("arm64"), notify=messages.append)
    assert archive.resolve("linux-image-cloud-arm64")[0].version == "5.10.262-1"
    assert any("Failed to fetch" in line for line in messages)


def test_an_unknown_package_is_named(host: Host) -> None:
    with pytest.raises(BenchError, match="no package nosuch in Debian's sid/arm64"):
        Apt("sid", architecture("arm64")).resolve("nosuch")


def test_a_download_is_kept_and_checked_before_it_is_used_again(host: Host) -> None:
    host.on("apt-get download", f"printf '%s\\n' '{CONTENT.decode().strip()}' >x.deb")
    archive = Apt("sid", architecture("arm64"))
    path = archive.download(BUSYBOX)
    assert path.read_bytes() == CONTENT
    archive.download(BUSYBOX)
    assert len(host.calls("apt-get download")) == 1
    path.write_bytes(b"damaged")
    archive.download(BUSYBOX)
    assert len(host.calls("apt-get download")) == 2
    assert path.read_bytes() == CONTENT
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_a_file_that_the_mirror_dropped_is_an_error_of_its_own(host: Host) -> None:
    archive = Apt("sid", architecture("arm64"))
    host.on("apt-get download", "echo 'E: Failed to fetch http://x  404  Not Found' >&2; exit 100")
    with pytest.raises(PackageGone, match=r"busybox 1:1\.35-1"):
        archive.download(BUSYBOX)
    host.on("apt-get download", "echo 'E: Failed to fetch http://x  Could not connect' >&2; exit 100")
    with pytest.raises(BenchError, match="cannot download busybox") as caught:
        archive.download(BUSYBOX)
    assert not isinstance(caught.value, PackageGone)
    assert "E: Failed to fetch http://x  Could not connect; check the network" in str(caught.value)


def test_a_missing_package_differs_from_damaged_lists(host: Host) -> None:
    host.on("apt-cache show", "echo 'E: No packages found' >&2; exit 100")
    with pytest.raises(BenchError, match="there is no package busybox"):
        Apt("sid", architecture("arm64")).resolve("busybox")
    host.on("apt-cache show", "echo 'E: The package lists or status file could not be parsed' >&2; exit 100")
    with pytest.raises(BenchError, match=r"could not be parsed.*remove .*/var/lib/apt/lists"):
        Apt("sid", architecture("arm64")).resolve("busybox")


def test_a_file_with_a_password_is_private(host: Host, tmp_path: Path) -> None:
    Apt("sid", architecture("arm64")).update()
    assert stat.S_IMODE((root(tmp_path, "sid-arm64") / "apt.conf").stat().st_mode) == 0o600


def test_a_cache_that_apt_cannot_spell_is_refused(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / 'a "b"'))
    with pytest.raises(UserError, match="without quotes"):
        Apt("sid", architecture("arm64")).update()


def test_missing_archive_keys_are_named(host: Host, tmp_path: Path) -> None:
    (tmp_path / "keyring.gpg").unlink()
    with pytest.raises(BenchError, match="install debian-archive-keyring"):
        Apt("sid", architecture("arm64")).update()


def test_packages_come_with_what_they_depend_on(host: Host, tmp_path: Path) -> None:
    """apt resolves and checks; where it puts them is the caller's, so that nothing stays in the cache."""
    host.on(
        "apt-get install",
        'for word; do case "$word" in Dir::Cache::archives=*) touch "${word#*=}b_1_arm64.deb";; esac; done',
    )
    (found,) = Apt("bookworm", architecture("arm64")).download_with_dependencies(["a"], tmp_path)
    assert found == tmp_path / "archives/b_1_arm64.deb"
    (call,) = host.calls("apt-get install")
    assert "--download-only" in call and call.endswith("-- a")


@pytest.mark.parametrize("said", ["E: Unable to locate package a", "E: Package 'a' has no installation candidate"])
def test_a_package_that_no_suite_has_is_the_users_mistake(host: Host, tmp_path: Path, said: str) -> None:
    host.on("apt-get install", f'echo "{said}" >&2; exit 100')
    with pytest.raises(UserError, match="there is no package a in Debian's bookworm/arm64"):
        Apt("bookworm", architecture("arm64")).download_with_dependencies(["a"], tmp_path)


def test_packages_that_cannot_be_fetched_are_the_networks_fault(host: Host, tmp_path: Path) -> None:
    host.on("apt-get install", 'echo "E: Failed to fetch it" >&2; exit 100')
    with pytest.raises(BenchError, match="Failed to fetch it; check the network"):
        Apt("bookworm", architecture("arm64")).download_with_dependencies(["a"], tmp_path)
