# SPDX-License-Identifier: MIT
"""A session that stays between two uses of it, so that a machine serves many ranges of cases."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from harness.run.opening import open_session
from harness.session import Bootable, Listener, OnBoard, Session
from hil.errors import MachineLost
from hil.target import Target


class Kept:
    """Keeps one session: of the place that was asked for last."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._session: Session[Target] | None = None
        self._bootable: Bootable | OnBoard | None = None
        self._place = ""
        self._folder: Path | None = None

    @property
    def current(self) -> Session[Target] | None:
        """Returns the session that is there; None while it is used, and when there is none, or its machine is gone."""
        return self._session if self._session and self._session.target.alive else None

    def ready(self, kernel: str, arch: str) -> Bootable | None:
        """Returns what the machine that is there was made of, so that its files need not be hashed for every range;
        None where it is of another place, or gone."""
        there = self.current is not None and self._place == f"{kernel}/{arch}"
        return self._bootable if there and isinstance(self._bootable, Bootable) else None

    @contextmanager
    def session(
        self, bootable: Bootable | OnBoard, folder: Path, listener: Listener, *, cold: bool
    ) -> Iterator[Session[Target]]:
        """Returns the session that is there, or a new one whose files are in `folder`, or beside it where there is one
        of that name. It ends when its machine is lost, or anything else goes wrong in it."""
        place = f"{bootable.kernel.name}/{bootable.kernel.arch}"
        if self._session is None or self._place != place or not self._session.target.alive:
            self.close()
            own = _unused(folder)
            session = self._stack.enter_context(open_session(bootable, own, listener, cold=cold))
            self._bootable, self._place, self._folder = bootable, place, own
        else:
            session = self._session
            listener.made(session.target)
        self._session = None  # whatever happens in it: it stays only when nothing did
        try:
            yield session
        except BaseException:
            self._folder = None  # which tells what happened
            self.close()
            raise
        self._session = replace(session, boot_seconds=0.0)

    def close(self, *, keep: bool = False) -> None:
        """Ends the session; its files go, as nothing happened in it, unless its machine is gone or `keep` says so."""
        keep = keep or (self._session is not None and not self._session.target.alive)
        folder, self._folder, self._session = self._folder, None, None
        try:
            self._stack.close()
        except MachineLost:
            return
        finally:
            self._stack = ExitStack()
        if folder is not None and not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _unused(folder: Path) -> Path:
    """The first folder of that name, or with a number behind it, that does not exist; it is made."""
    number = 1
    while True:
        path = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return path
