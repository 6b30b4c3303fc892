# SPDX-License-Identifier: MIT
"""What a reader of a divergence may leave out of its script."""

from harness.abi.pt_regs import pt_regs
from harness.core_scripts.parts import array, count_hits, on_our_prctl, prctl, probed, read_u64
from harness.script.dependence import depends_on
from harness.script.operations import Close, Duplicate, OpenFile, Ref, RunThreads, Script, Thread


def test_names_are_followed_through_programs_events_and_maps_and_what_fires_is_kept() -> None:
    other = (OpenFile("file"), Duplicate("twin", Ref("file")))
    program = on_our_prctl(pt_regs("arm64", "6.1"), count_hits())
    script = Script("s", "", (array("hits"), array("others"), *other, *probed(program), prctl(), read_u64("hits")))
    assert depends_on(script, 9) == (0, 4, 5, 6, 7, 8)
    assert depends_on(script, 3) == (2,)


def test_what_has_no_names_may_depend_on_everything() -> None:
    script = Script("s", "", (array("hits"), OpenFile("file"), prctl()))
    assert depends_on(script, 2) == (0, 1)
    assert depends_on(script, 0) == ()


def test_names_within_threads_count() -> None:
    threads = RunThreads((Thread(0, (Close(Ref("file")),)), Thread(1, (read_u64("hits"),))))
    script = Script("s", "", (array("hits"), array("others"), OpenFile("file"), threads))
    assert depends_on(script, 3) == (0, 2)
