"""A script that would harm what comes behind it is refused when it is made."""

import pytest

from harness.script.operations import Branch, Concurrently, Operation, Pin, Script
from harness.script.processes import Become, Execute, Exit, Fork, SetName
from harness.script.surroundings import SetSetting


@pytest.mark.parametrize(
    "operations",
    [
        (Become(1000),),
        (Fork(), Exit(), SetName(b"x")),
        (Fork(),),
        (Exit(),),
        (Fork(), Execute("x"), SetName(b"x"), Exit()),
        (Fork(), SetSetting("kernel/kptr_restrict", 1), Become(1000), Exit()),
        (Fork(), Fork(), Exit(), SetSetting("kernel/kptr_restrict", 1), Execute("x"), Exit()),
        (SetSetting("kernel/unprivileged_bpf_disabled", 1),),
        (Fork(), SetSetting("kernel/modules_disabled", 1), Exit()),
        (Concurrently((Branch(0, (SetSetting("kernel/yama/ptrace_scope", 3),)),)),),
        (Concurrently(()),),
        (Concurrently((Branch(0, ()), Branch(1, ()))),),
        (Concurrently((Branch(-1, (Pin(0),)),)),),
        (Concurrently((Branch(0, (Concurrently((Branch(0, (Pin(0),)),)),)),)),),
        (Concurrently((Branch(0, (Fork(), Exit())),)),),
        (Fork(), Concurrently((Branch(0, (SetName(b"x"),)),)), Exit()),
    ],
)
def test_what_makes_no_sense_or_does_harm_is_refused(operations: tuple[Operation, ...]) -> None:
    with pytest.raises(ValueError, match=r"^s: "):
        Script("s", "", operations)


def test_children_may_have_children() -> None:
    setting = SetSetting("kernel/kptr_restrict", 1)
    Script("s", "", (Fork(), setting, Fork(), Become(1000), Execute("x"), Exit(), SetName(b"x"), Exit()))
