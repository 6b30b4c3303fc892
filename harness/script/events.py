# SPDX-License-Identifier: MIT
"""Operations on trace events and perf events, and the triggers that hit them."""

from __future__ import annotations

from dataclasses import dataclass

from harness.abi.perf import SampleType
from harness.script.values import Buffer, Descriptor, Ref, Untouched


@dataclass(frozen=True)
class CreateKprobe:
    """Writes `p:` or `r:` (`returns`) into tracefs' kprobe_events and reads the id of the new trace event.

    Success yields the id. The trace event is called `hil/<unique name>`, so that scripts never meet.
    """

    name: str
    symbol: str
    returns: bool = False
    offset: int = 0


@dataclass(frozen=True)
class RemoveKprobe:
    """Writes `-:` into kprobe_events for a probe of this script."""

    probe: Ref


@dataclass(frozen=True)
class FindTracepoint:
    """Reads the id of a static tracepoint, for example `sched/sched_switch`."""

    name: str
    tracepoint: str


@dataclass(frozen=True)
class OpenEvent:
    """perf_event_open(2) of type PERF_TYPE_TRACEPOINT on the trace event with id `config`.

    `pid` 0 is the calling thread, -1 every task; `cpu` -1 every CPU. `inherit` lets it count children that are forked
    later, `enable_on_exec` enables it when the task executes a program; samples of a `monotonic` one have the time of
    CLOCK_MONOTONIC, others that of the scheduler's clock.
    """

    name: str
    config: Ref | int
    pid: Ref | int = 0
    cpu: int = -1
    sample_period: int = 1
    sample_type: SampleType = SampleType.TID | SampleType.CPU | SampleType.RAW
    disabled: bool = False
    inherit: bool = False
    enable_on_exec: bool = False
    close_on_exec: bool = True
    monotonic: bool = False


@dataclass(frozen=True)
class OpenOutputEvent:
    """perf_event_open(2) of type PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT: an event that samples only what programs
    pass to bpf_perf_event_output through a map that holds it. `pid` and `cpu` are as in `OpenEvent`."""

    name: str
    pid: int = 0
    cpu: int = -1
    sample_type: SampleType = SampleType.TID | SampleType.CPU | SampleType.RAW
    disabled: bool = False


@dataclass(frozen=True)
class MapRing:
    """mmap(2) of the event's ring buffer: one control page and `data_pages` (a power of two), writable."""

    name: str
    event: Descriptor
    data_pages: int = 2


@dataclass(frozen=True)
class ReadRing:
    """Consumes every record that the ring buffer holds; they are the outcome's records, oldest first."""

    ring: Ref


@dataclass(frozen=True)
class ReadCount:
    """read(2) of 8 bytes, which are the value: of an event, the number of hits it counted. An iterator of programs runs
    the program when it is read."""

    event: Descriptor


@dataclass(frozen=True)
class ReadProfile:
    """Reads the line of a probe in tracefs' kprobe_profile: the value is how often its function was reached by anybody
    while an event of it was open, whatever programs returned; the outcome's data is how many hits the kernel missed, as
    64 bits. ENOENT stands for no such line."""

    probe: Ref


@dataclass(frozen=True)
class Attach:
    """ioctl(PERF_EVENT_IOC_SET_BPF)."""

    event: Descriptor
    program: Descriptor


@dataclass(frozen=True)
class Enable:
    """ioctl(PERF_EVENT_IOC_ENABLE)."""

    event: Descriptor


@dataclass(frozen=True)
class Disable:
    """ioctl(PERF_EVENT_IOC_DISABLE)."""

    event: Descriptor


@dataclass(frozen=True)
class Trigger:
    """Makes the calling process reach a probed kernel function with chosen arguments, `times` times.

    `trigger` names a row of the table of triggers (`harness.script.triggers`); `arguments` are the values that the row
    leaves open, in its order; those left out are 0. The
    outcome's value is what the system call returned (in the last round).
    """

    trigger: str
    arguments: tuple[int | Buffer | Untouched, ...] = ()
    times: int = 1
