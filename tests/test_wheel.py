# SPDX-License-Identifier: MIT
"""The built wheel, in an environment of its own, has everything it needs: recipes and the agent's sources, too."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


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


def test_the_agent_is_built_from_the_sources_in_the_wheel(python: Path, tmp_path: Path) -> None:
    program = (
        "from hil import resources\n"
        "from hil.agent.build import agent_binary\n"
        "from hil.arch import architecture\n"
        "print(resources.folder('guest'))\n"
        "print(agent_binary(architecture('x86_64')))\n"
    )
    done = run(python, tmp_path, "-c", program)
    assert done.returncode == 0, done.stderr
    sources, binary = done.stdout.split()
    assert "site-packages" in sources
    assert Path(binary).stat().st_size > 10_000


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
