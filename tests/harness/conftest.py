"""Guests for the corpora: one machine a kernel and architecture, shared by all tests of a run."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

from hil.arch import Architecture
from hil.kernels import store
from tests.harness.guests import SharedGuest, booted


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "shared_guest" not in metafunc.fixturenames:
        return
    patterns = metafunc.config.getoption("--kernels").split(",")
    known = list(store.names())
    if unknown := [one for one in patterns if not any(fnmatchcase(name, one) for name, _ in known)]:
        raise pytest.UsageError(f"--kernels: no kernel is called {', '.join(unknown)}")
    chosen = [(name, arch) for name, arch in known if any(fnmatchcase(name, one) for one in patterns)]
    ids = [f"{name}/{arch}" for name, arch in chosen]
    metafunc.parametrize("shared_guest", chosen, ids=ids, indirect=True, scope="session")


@pytest.fixture(scope="session")
def shared_guest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedGuest]:
    """A machine that is up, one at a time."""
    name, arch = request.param
    assert isinstance(arch, Architecture)
    with booted(name, arch, tmp_path_factory.mktemp(f"{name}-{arch}")) as guest:
        yield guest
