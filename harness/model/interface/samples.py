# SPDX-License-Identifier: MIT
"""The fields of a sample that are the same for events of every type: perf_prepare_sample(), kernel/events/core.c."""

from __future__ import annotations

from harness.model.environment import Environment
from harness.model.surroundings import Surroundings
from harness.script.operations import SampleType
from harness.script.outcome import KERNEL_ADDRESS, Sample, Unknown

TIME = Unknown("the time of the hit", least=1)


def fields(environment: Environment, surroundings: Surroundings, wanted: SampleType, period: int) -> Sample:
    """Returns a sample with what `wanted` asks for, except for the raw payload."""
    return Sample(
        ip=KERNEL_ADDRESS if SampleType.IP in wanted else None,
        pid=surroundings.caller.pid if SampleType.TID in wanted else None,
        tid=surroundings.caller.number if SampleType.TID in wanted else None,
        time=TIME if SampleType.TIME in wanted else None,
        cpu=environment.cpu if SampleType.CPU in wanted else None,
        period=period if SampleType.PERIOD in wanted else None,
    )


def size_of_fields(wanted: SampleType) -> int:
    """Returns the bytes that these fields take in the ring: perf_event__header_size(), kernel/events/core.c."""
    return 8 * sum(bit in wanted for bit in SampleType if bit is not SampleType.RAW)
