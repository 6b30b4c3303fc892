# SPDX-License-Identifier: MIT
"""The built wheel, in an environment of its own, has everything it needs: recipes and the agent's sources, too."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from hil.agent.build import LINK, compile_agent
from hil.arch import architecture, architectures

ROOT = Path(__file__).resolve().parents[1]
COMPILER = re.compile(r"^(.*-)?(g?cc|[gc]\+\+|c[89]9|clang|cpp|as|ld|tcc)([-.][\w.+-]*)?$")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds nothing but the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT], check=True, timeout=600)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "environment", with_pip=True)
    python = folder / "environment" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True, timeout=600)
    return python


def run(python: Path, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120)


def test_the_wheel_says_which_commit_it_is_of(python: Path, tmp_path: Path) -> None:
    """Where there is no git to ask."""
    commit = subprocess.run(["git", "rev-parse", "--short=7", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    done = run(python, tmp_path, "-m", "hil", "--version")
    assert done.returncode == 0, done.stderr
    assert f"+g{commit.stdout.strip()}" in done.stdout


def test_the_command_knows_lanes_and_scripts(python: Path, tmp_path: Path) -> None:
    done = run(python, tmp_path, "-m", "hil", "run", "--list", "--lanes", "debian-12/*/jit")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["debian-12/x86_64/jit", "debian-12/arm64/jit"]


def test_the_agents_in_the_wheel_are_what_its_sources_give(python: Path, tmp_path: Path) -> None:
    """For every architecture, byte by byte as compiled again, from another folder."""
    program = (
        "from hil import resources\n"
        "from hil.agent.build import agent_binary\n"
        "from hil.arch import architectures\n"
        "print(resources.folder('guest'))\n"
        "for arch in architectures().values():\n"
        "    print(arch, agent_binary(arch))\n"
    )
    done = run(python, tmp_path, "-c", program)
    assert done.returncode == 0, done.stderr
    sources, *binaries = done.stdout.splitlines()
    assert "site-packages" in sources
    assert len(binaries) == len(architectures())
    for name, _, path in (line.partition(" ") for line in binaries):
        assert "site-packages" in path
        compile_agent(architecture(name).gcc, tmp_path / name, Path(sources), *LINK)
        assert (tmp_path / name).read_bytes() == Path(path).read_bytes()


def test_agents_of_other_sources_are_not_used(python: Path, tmp_path: Path) -> None:
    program = (
        "from pathlib import Path\n"
        "from hil.agent import build\n"
        "from hil.arch import architecture\n"
        "build.compiling.digest = lambda _: 'of others'\n"
        "print(build.prebuilt(architecture('arm64')))\n"
    )
    assert run(python, tmp_path, "-c", program).stdout == "None\n"


@pytest.mark.guest
def test_a_machine_without_compilers_runs_scripts(python: Path, tmp_path: Path) -> None:
    """`hil run` with the programs of this host that compile nothing."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for folder in ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for program in Path(folder).glob("*"):
            place = programs / program.name
            if not COMPILER.search(program.name) and not place.is_symlink():
                place.symlink_to(program)
    assert not shutil.which("cc", path=str(programs)) and not shutil.which("x86_64-linux-gnu-gcc", path=str(programs))
    command = [python, "-m", "hil", "run", "--lanes", "debian-12/*/jit", "--scripts", "counting", "--output", "runs"]
    done = subprocess.run(
        command,
        cwd=tmp_path, env={**os.environ, "PATH": str(programs)}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("1 agree") == 2


def test_pytest_finds_the_plugin_where_it_is_installed_too(python: Path, tmp_path: Path) -> None:
    """pytest itself is nothing the wheel asks for: it lies beside the environment here."""
    beside = tmp_path / "beside"
    pip = [python, "-m", "pip", "install", "--quiet", "--target", beside, "pytest"]
    subprocess.run(pip, check=True, timeout=600)
    (tmp_path / "test_lanes.py").write_text(
        "import sys\n"
        "import pytest\n\n"
        "@pytest.mark.arch('arm64')\n"
        "def test_without_a_machine(lane):\n"
        "    assert str(lane) == 'debian-12/arm64/jit'\n"
        "    from harness.testing import LaneGuest\n"
        "    assert 'site-packages' in sys.modules[LaneGuest.__module__].__file__\n"
    )
    command = ["-m", "pytest", "-q", "--strict-markers", "--hil-lanes", "debian-12/*/jit", "test_lanes.py"]
    done = subprocess.run(
        [python, *command], cwd=tmp_path, env={"PYTHONPATH": str(beside)}, capture_output=True, text=True, timeout=120
    )
    assert "1 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
