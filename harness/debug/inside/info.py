# SPDX-License-Identifier: MIT
"""`bpf info`."""

from __future__ import annotations

from collections.abc import Iterator

from harness.debug.inside.data import ProgramData
from harness.debug.inside.place import here
from harness.debug.inside.told import Command, at_most, say


class Info(Command):
    """Show the BPF programs of the script: type, place in the kernel, maps, what they are attached to, and the run
    that is under way: bpf info."""

    name = "bpf info"

    def run(self, words: list[str]) -> None:
        at_most(words, 0, self.name)
        for number, data in enumerate(self.session.data.programs):
            say(*self._about(number, data))
        place, run = here(self.session), self.session.run
        if place is not None:
            say(f"the guest is in {place}")
        if run is not None:
            say(f"last begun: run {run.number} of {run.loaded.data.name}, with its context at {run.context:#x}")

    def _about(self, number: int, data: ProgramData) -> Iterator[str]:
        found = [one for one in self.session.loaded if one.number == number]
        if not found:
            state = "unloaded" if data.name in self.session.unloaded else "not loaded"
            yield f"{data.name}: {data.kind_name}, {len(data.text)} instructions, {state}"
        for one in found:
            yield f"{data.name}: {data.kind_name}, {len(data.text)} instructions, {one.length} in the kernel"
            yield f"  struct bpf_prog {one.pointer:#x}, instructions at {one.instructions:#x}"
            if one.native:
                images = ", ".join(f"{image.start:#x}, {len(image)} bytes" for image in one.images)
                yield f"  native code at {images}"
            else:
                yield "  run by the interpreter"
        for name in data.maps:
            map = self.session.map(name)
            yield f"  map {name}: {map.kind}, key {map.key_size}, value {map.value_size}, {map.max_entries} entries"
        for place in data.attached:
            yield f"  attached: {place}"
