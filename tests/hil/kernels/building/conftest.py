# SPDX-License-Identifier: MIT
"""Toy sources of a kernel, packed in memory, and a server on the loopback interface that has them."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hil.kernels.building import download
from hil.kernels.catalogue import Entry, Tarball

from ..conftest import arm64_image, bzimage, configuration

# The targets and results of the real makefiles. RULE is replaced by tests that need an error.
MAKEFILE = """
image = $(if $(filter x86_64,$(ARCH)),arch/x86/boot/bzImage,arch/arm64/boot/Image)

x86_64_defconfig defconfig:
	cp toy/config.$(ARCH) .config
olddefconfig:
	echo '# written by Kconfig' >> .config
bzImage Image:
	@echo "  CC      toy/init.o"
	RULE
	$(CC) -c -o vmlinux toy/init.c
	$(HOSTCC) -fsyntax-only toy/init.c
	yes 'ffffffff81000000 T _text' | head -n 300 > System.map
	mkdir -p $(dir $(image)) && cp toy/image.$(ARCH) $(image)
modules:
	@echo "Building modules, stage 2."
modules_install:
	mkdir -p $(INSTALL_MOD_PATH)/lib/modules/4.1.52/kernel/lib
	echo module > $(INSTALL_MOD_PATH)/lib/modules/4.1.52/kernel/lib/test_bpf.ko
"""


def sources(rule: str = "true", olddefconfig: str = "") -> bytes:
    """A tarball that builds at once; `rule` is a command of compiling, `olddefconfig` one of configuring."""
    makefile = MAKEFILE.replace("RULE", rule)
    if olddefconfig:
        makefile = makefile.replace("olddefconfig:\n", f"olddefconfig:\n\t{olddefconfig}\n")
    files = {
        "Makefile": makefile.encode(),
        "toy/init.c": b"inline int twice(int x) { return x + x; }\nint main(void) { return twice(0); }\n",
        "toy/config.x86_64": configuration("x86_64").encode(),
        "toy/config.arm64": configuration("arm64").encode(),
        "toy/image.x86_64": bzimage(),
        "toy/image.arm64": arm64_image(),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"linux-4.1.52/{name}")
            member.size, member.mtime = len(content), 1527500000
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@dataclass
class Server:
    """Serves `content` at `url`. `ranges` holds the Range header of each request, "" for none.

    Each number in `breaks` is for one answer, which ends after so many bytes; a `status` is all the answer there is.
    """

    content: bytes = b""
    knows_ranges: bool = True
    status: int = 200
    breaks: list[int] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    url: str = ""

    def entry(self, sha256: str = "") -> Entry:
        """A row for the catalogue, by default with the hash of the served file."""
        return Entry("linux-4.1", "4.1", "4.1", Tarball(self.url, sha256 or hashlib.sha256(self.content).hexdigest()))

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers["Range"] or ""
        self.ranges.append(wanted)
        match = re.fullmatch(r"bytes=(\d+)-", wanted) if self.knows_ranges else None
        first, size = int(match[1]) if match else 0, len(self.content)
        if self.status != 200:
            request.send_error(self.status)
            return
        if match and first >= size:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{size}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(206 if match else 200)
        if match:
            request.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
        request.send_header("Content-Length", str(size - first))
        request.end_headers()
        end = first + self.breaks.pop(0) if self.breaks else size
        request.wfile.write(self.content[first:end])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr(download, "PAUSE", 0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        served.url = f"http://127.0.0.1:{http.server_port}/pub/linux-4.1.52.tar.xz"
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        yield served
        http.shutdown()
        thread.join()


@pytest.fixture
def host(cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with an empty cache and all that a build needs; gives the folder of fakes for missing programs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bc", "depmod"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return programs


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a file system of a given size ("1m"); skips where that is not allowed."""
    mounted = []

    def mount(size: str) -> Path:
        folder = tmp_path / "small"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"needs the right to mount a tmpfs: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


class Recorder:
    """A listener that records the steps and the amounts."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.amounts: list[tuple[int, int | None]] = []

    def step(self, what: str) -> None:
        self.steps.append(what)

    def advance(self, done: int, total: int | None = None) -> None:
        self.amounts.append((done, total))
