"""A script that would harm what comes behind it is refused when it is made."""

import pytest

from harness.script.operations import Operation, Script
from harness.script.processes import Become, Execute, Exit, Fork, SetName


@pytest.mark.parametrize(
    "operations",
    [
        (Become(1000),),
        (Fork(), Exit(), SetName(b"x")),
        (Fork(),),
        (Exit(),),
        (Fork(), Execute("x"), SetName(b"x"), Exit()),
    ],
    ids=["become", "behind", "endless", "exit", "after-exec"],
)
def test_what_changes_a_process_for_good_is_for_children_that_exit(operations: tuple[Operation, ...]) -> None:
    with pytest.raises(ValueError, match=r"^s: "):
        Script("s", "", operations)


def test_children_may_have_children() -> None:
    Script("s", "", (Fork(), Fork(), Become(1000), Execute("x"), Exit(), SetName(b"x"), Exit()))
