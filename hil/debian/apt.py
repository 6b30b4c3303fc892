# SPDX-License-Identifier: MIT
"""A private apt: one suite and one architecture, with its own sources, lists and cache below the user's cache folder.

The host's apt is only asked how it reaches the network (proxy, time limits) and which mirror it uses. Nothing of its
state is read or written, so a foreign architecture or suite never shows up there, and no root is needed.
Signatures and hashes are checked by apt itself against Debian's archive keys.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from hil import cache, directories, programs
from hil.arch import Architecture
from hil.debian import mirror, package
from hil.debian.package import Package
from hil.digest import sha256
from hil.errors import BenchError, UserError
from hil.heartbeat import Heartbeat

_log = logging.getLogger(__name__)

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# Lists younger than this are not fetched again (seconds). Debian's archive is updated four times a day.
FRESH = 6 * 3600.0

# Space that the lists of a suite take while they are fetched and indexed (bytes; sid needs 100 MB). Checked beforehand
# because apt's http method does not end on a full disk: it retries the write for ever (seen with apt 2.6.1).
_ROOM_FOR_LISTS = 128 << 20
_ROOM_TO_SPARE = 8 << 20

# The part of the host's configuration that decides whether a mirror can be reached. Everything else stays out, above
# all hooks, pins and whatever would weaken the checks of signatures.
_NETWORK_OPTIONS = re.compile(
    r"^Acquire::(https?|Retries|ForceIPv[46]|Check-Date|Check-Valid-Until|Max-FutureTime)\b", re.I
)

_CONFIGURATION = """\
Dir "{root}/";
Dir::State::status "{root}/var/lib/dpkg/status";
Dir::Cache::srcpkgcache "";
// A host's passwords for its mirrors; a user who may not read them has none.
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
// The user _apt cannot read the user's home folder.
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::PDiffs "false";
Acquire::GzipIndexes "true";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
"""

_SOURCE = """\
Types: deb
URIs: {uri}
Suites: {suites}
Components: main
Signed-By: {keyring}
"""

_FOLDERS = (
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "etc/apt/sources.list.d",
    "var/cache/apt/archives/partial",
    "var/lib/apt/lists/partial",
    "var/lib/dpkg",
    "packages",
)


# apt-cache(8) fails when none of the packages it was asked for exists.
_NONE_FOUND = "E: No packages found"


class PackageGone(BenchError):
    """An index names the package, but the mirror no longer has its file."""


class Apt:
    """The packages of `suite` for `arch`; a released suite ("bookworm") includes its -updates and -security, a suite
    of backports stands alone. Several processes may use the same one."""

    def __init__(self, suite: str, arch: Architecture, *, notify: Callable[[str], None] = lambda _: None) -> None:
        self.suite = suite
        self.arch = arch
        self._notify = notify
        self._root = directories.cache() / "debian" / f"{suite}-{arch.debian}"
        self._settled = False
        self._mirror: mirror.Mirror | None = None

    def __str__(self) -> str:
        return f"{self.suite}/{self.arch}"

    @property
    def mirror(self) -> mirror.Mirror:
        """The mirror that packages come from; raises BenchError when the host knows none."""
        if self._mirror is None:
            self._mirror = mirror.find()
        return self._mirror

    @property
    def uris(self) -> list[str]:
        """The URIs of the archives that serve the suite."""
        return list(self._suites())

    def update(self, *, max_age: float = FRESH) -> None:
        """Fetch the lists again when they are older than `max_age` seconds. Every query does this once.

        Without a network old lists are used, which is passed to `notify`; raises BenchError when there are none.
        """
        with cache.locked(self._root, notify=self._notify):
            self._update(max_age)

    def resolve(self, name: str) -> list[Package]:
        """Every version of the package called `name`, newest first; raises BenchError when the suite has none."""
        found = self._show([name])
        if not found:
            raise BenchError(
                f"there is no package {name} in Debian's {self}", remedy="check its name and the suite in the catalogue"
            )
        return package.newest_first(found)

    def matching(self, pattern: re.Pattern[str]) -> list[Package]:
        """Every version of every package whose whole name matches, newest version first; empty when there is none."""
        names = [name for name in self.names() if pattern.fullmatch(name)]
        return package.newest_first(self._show(names)) if names else []

    def names(self) -> frozenset[str]:
        """The names of all packages of the suite."""
        return frozenset(self._query("apt-cache", "pkgnames").split())

    def suites_of(self, packages: Sequence[Package]) -> dict[Package, tuple[str, ...]]:
        """The suites that have each of `packages`, by apt-cache(8) madison."""
        listed = self._query("apt-cache", "madison", *sorted({item.name for item in packages})) if packages else ""
        rows = [[cell.strip() for cell in line.split("|")] for line in listed.splitlines()]
        return {
            item: tuple(
                suite.partition("/")[0]
                for name, version, origin in rows
                if (name, version) == (item.name, item.version)
                for suite in origin.split()[1:2]
            )
            for item in packages
        }

    def download(self, wanted: Package) -> Path:
        """The path of the .deb, which is downloaded unless it is in the cache; apt checks its hash.

        Raises PackageGone when the mirror has dropped the file; raises BenchError when it cannot be reached.
        """
        target = self._root / "packages" / f"{wanted.name}_{wanted.version}_{wanted.architecture}.deb"
        with cache.locked(self._root, notify=self._notify), cache.writing(target):
            if target.exists() and sha256(target) == wanted.sha256:
                _log.debug("taking %s", target)
                return target
            self._update(FRESH)
            cache.ensure_room(self._root, wanted.size + _ROOM_TO_SPARE)
            _log.info("downloading %s of Debian's %s", wanted, self)
            with (
                tempfile.TemporaryDirectory(prefix=".new-", dir=target.parent) as folder,
                Heartbeat(self._notify, lambda line, since: _amount(line, Path(folder), wanted.size, since)) as tell,
            ):
                tell(f"downloading {wanted.name} {wanted.version} ({wanted.size / 1e6:.1f} MB)")
                exact = f"{wanted.name}={wanted.version}"
                done = self._run("apt-get", "download", "--quiet=2", exact, cwd=Path(folder))
                fetched = next(Path(folder).glob("*.deb"), None)
                if done.returncode or fetched is None:
                    raise self._not_fetched(wanted, done.stderr)
                fetched.replace(target)
        return target

    def download_with_dependencies(self, names: Sequence[str], folder: Path) -> list[Path]:
        """Download packages and all that they depend on (no recommendations) into `folder`; returns their paths.

        Raises UserError when the suite lacks one, BenchError when they cannot be fetched.
        """
        with cache.locked(self._root, notify=self._notify), cache.writing(folder):
            self._update(FRESH)
            archives = folder / "archives"
            (archives / "partial").mkdir(parents=True)
            options = ["--option", f"Dir::Cache::archives={archives}/", "--quiet=2", "--yes"]
            with Heartbeat(self._notify, lambda line, since: _amount(line, archives, 0, since)) as tell:
                tell(f"downloading {', '.join(names)} of Debian's {self}, and what they depend on")
                done = self._run("apt-get", "install", "--download-only", *options, "--", *names)
            if unknown := re.findall(r"Unable to locate package (\S+)|Package '?(\S+?)'? has no", done.stderr):
                listed = ", ".join(one or other for one, other in unknown)
                raise UserError(
                    f"there is no package {listed} in Debian's {self}", remedy="check the name and the suite"
                )
            if done.returncode:
                raise _unserved(f"cannot download {', '.join(names)} of Debian's {self}", done.stderr)
            return sorted(archives.glob("*.deb"))

    def discard(self, wanted: Package) -> None:
        """Remove the .deb of a package that is not needed again; harmless when there is none."""
        path = self._root / "packages" / f"{wanted.name}_{wanted.version}_{wanted.architecture}.deb"
        with cache.writing(path):
            path.unlink(missing_ok=True)

    def _show(self, names: Sequence[str]) -> list[Package]:
        return package.parse(self._query("apt-cache", "show", "--all-versions", *names))

    def _query(self, *argv: str) -> str:
        """The output of a command of apt; empty when none of the packages it asks for exists."""
        with cache.locked(self._root, notify=self._notify):
            self._update(FRESH)
            done = self._run(*argv)
        if done.returncode and _NONE_FOUND not in done.stderr:
            raise BenchError(
                f"apt failed for Debian's {self}: {_first_error(done.stderr)}",
                remedy=f"if it complains of its lists, remove {self._root / 'var/lib/apt/lists'}",
            )
        return done.stdout

    def _update(self, max_age: float) -> None:
        """Write the configuration, and fetch the lists unless they are fresh or were just tried. Needs the lock."""
        if self._settled and max_age:
            return
        stamp = self._root / "updated"
        with cache.writing(self._root):
            sources = self._configure()
            if stamp.exists() and stamp.read_text() == sources and time.time() - stamp.stat().st_mtime < max_age:
                self._settled = True
                return
            cache.ensure_room(self._root, _ROOM_FOR_LISTS)
            _log.info("fetching the package lists of Debian's %s", self)
            with Heartbeat(self._notify) as tell:
                tell(f"fetching the package lists of Debian's {self}")
                done = self._run("apt-get", "update", "--quiet=2")
            if done.returncode == 0 and "Failed to fetch" not in done.stderr:
                stamp.write_text(sources)
            elif self._have_lists():
                since = f" of {_day(stamp)}" if stamp.exists() else ""
                reason = _first_error(done.stderr)
                _log.warning("cannot refresh every list of Debian's %s: %s", self, mirror.without_password(reason))
                self._notify(f"cannot refresh every list of Debian's {self}, using the old ones{since}: {reason}")
            else:
                origin = mirror.without_password(self.mirror.base)
                raise _unserved(f"cannot fetch the package lists of Debian's {self} from {origin}", done.stderr)
        self._settled = True

    def _configure(self) -> str:
        """Write the configuration of this apt; returns the text of its sources."""
        if '"' in str(self._root):
            raise UserError(f"apt cannot work below {self._root}", remedy="set XDG_CACHE_HOME to a path without quotes")
        if not KEYRING.exists():
            raise BenchError(f"Debian's archive keys are missing ({KEYRING})", remedy="install debian-archive-keyring")
        sources = "\n".join(
            _SOURCE.format(uri=uri, suites=" ".join(suites), keyring=KEYRING) for uri, suites in self._suites().items()
        )
        for folder in _FOLDERS:
            (self._root / folder).mkdir(parents=True, exist_ok=True)
        (self._root / "var/lib/dpkg/status").touch()
        (self._root / "etc/apt/sources.list.d/debian.sources").write_text(sources)
        configuration = _CONFIGURATION.format(root=self._root, architecture=self.arch.debian)
        private = self._root / "apt.conf"
        private.touch(mode=0o600)  # a proxy's address may hold a password
        private.write_text(_network_configuration() + configuration)
        return sources

    def _suites(self) -> dict[str, list[str]]:
        """The suites to use, by the URI of their archive. Only released suites have updates and security support."""
        if self.suite == "sid" or self.suite.endswith("-backports"):
            return {self.mirror.base: [self.suite]}
        return {
            self.mirror.base: [self.suite, f"{self.suite}-updates"],
            self.mirror.security: [f"{self.suite}-security"],
        }

    def _have_lists(self) -> bool:
        """Whether the index of the suite itself has been fetched; those of its updates are optional."""
        columns = "$(RELEASE) $(FILENAME)"
        listed = self._run("apt-get", "indextargets", "--format", columns, "Identifier: Packages")
        rows = (line.split(maxsplit=1) for line in listed.stdout.splitlines())
        return any(release == self.suite and Path(path).exists() for release, path in rows)

    def _not_fetched(self, wanted: Package, stderr: str) -> BenchError:
        if re.search(r"\b(404|410)\b|File not found", stderr):
            return PackageGone(
                f"the mirror of Debian's {self} no longer has {wanted}", remedy="try again later or use another version"
            )
        return _unserved(f"cannot download {wanted} of Debian's {self}", stderr)

    def _run(self, *argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "APT_CONFIG": str(self._root / "apt.conf"), "LC_ALL": "C"}
        done = programs.run(argv, cwd=cwd, environment=environment)
        if done.returncode and (error := cache.error_in_output(self._root, done.stderr)):
            raise error
        return done


def unpack(deb: Path, folder: Path) -> None:
    """Unpack the files of a .deb below `folder`, without its scripts and without root; raises BenchError on failure."""
    environment = {**os.environ, "LC_ALL": "C"}
    argv = ["dpkg-deb", "--extract", str(deb), str(folder)]
    done = programs.run(argv, environment=environment)
    if done.returncode:
        if error := cache.error_in_output(folder, done.stderr):
            raise error
        raise BenchError(f"cannot unpack {deb.name} to {folder}", remedy=_first_error(done.stderr))


def unpack_one(deb: Path, pattern: str, folder: Path) -> None:
    """Unpack the first file of a .deb that matches `pattern` ("./usr/*/name-*", a shell's) below `folder`, and no more
    of it than what comes before that file; raises BenchError when there is none, or on failure."""
    environment = {**os.environ, "LC_ALL": "C"}
    # tar ends once it has the file, and dpkg-deb with it.
    extract = 'dpkg-deb --fsys-tarfile "$1" | tar --extract --occurrence=1 --directory="$2" --wildcards -- "$3"'
    done = programs.run(["sh", "-c", extract, "sh", str(deb), str(folder), pattern], environment=environment)
    if done.returncode:
        if error := cache.error_in_output(folder, done.stderr):
            raise error
        raise BenchError(f"cannot unpack {pattern} of {deb.name} to {folder}", remedy=_first_error(done.stderr))


def _network_configuration() -> str:
    """The part of the host's configuration that says how to reach a mirror, in the syntax of apt.conf(5)."""
    dump = subprocess.run(
        ["apt-config", "dump", "--no-empty", "--format", '%F "%v";%n'],
        env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    return "".join(line for line in dump.splitlines(keepends=True) if _NETWORK_OPTIONS.match(line))


def _amount(line: str, folder: Path, size: int, seconds: float) -> str:
    """A line of how much of `size` bytes, or of an unknown number, has come to a folder, and how fast."""
    came = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    share = f"{came * 100 // size} %" if size else f"{came / 1e6:.1f} MB"
    return f"{line}: {share}, {came / 1e6 / seconds:.1f} MB/s"


def _unserved(what: str, stderr: str) -> BenchError:
    """The error for what a mirror does not give, with the first reason of apt."""
    reason = mirror.without_password(_first_error(stderr))
    if re.search(r"Release file .* is (expired|not valid yet)", stderr):
        remedy = f"check this host's clock, or set {mirror.ENVIRONMENT} to a mirror that is up to date"
    else:
        remedy = f"check the network, or set {mirror.ENVIRONMENT} to a mirror that can be reached"
    return BenchError(f"{what}: {reason}", remedy=remedy, details=stderr)


def _first_error(stderr: str) -> str:
    """The first line of apt's or dpkg's error messages that gives a reason; of errors before warnings."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    ranked = [line for kind in ("E:", "W:", "") for line in lines if line.startswith(kind)]
    return ranked[0] if ranked else "no reason given"


def _day(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()
