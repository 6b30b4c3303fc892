# SPDX-License-Identifier: MIT
"""Campaigns with made-up guests: their journal, kills at any moment, shards, what they keep in memory."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from harness.compare import Verdict
from harness.fuzz.campaign import journal, merging, plan
from harness.fuzz.campaign.journal import Entry, Journal
from harness.fuzz.campaign.plan import RANGE
from harness.fuzz.campaign.running import run
from harness.fuzz.campaign.totals import MOST, Totals
from harness.fuzz.commands import fuzz
from harness.fuzz.finding.files import FOLDER
from harness.run.results import OperationReport, ScriptResult
from hil.errors import BenchError, UserError
from tests.harness.fuzz.campaign.fakes import (
    campaign,
    carried_out,
    counts,
    covered,
    entries,
    files,
    found,
    result,
)

KILLS = 10


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a campaign of 400 cases that nothing disturbed."""
    folder = tmp_path_factory.mktemp("alone")
    carried_out(folder, campaign(400))
    return folder


def test_every_case_has_a_result_on_every_lane(alone: Path) -> None:
    expected = [result(lane, number) for lane in campaign(400).lanes for number in range(400)]
    assert found(alone) == sorted(
        (one.lane, one.script, one.verdict, one.reason) for one in expected if one.verdict is not Verdict.AGREE
    )
    assert covered(alone) == {"6.1/x86_64": {f"refusal: M-{number}" for number in range(50)}}
    for lane in campaign(400).lanes:
        assert sum(counts(alone)[lane].values()) == 400


def test_kills_at_random_moments_lose_and_repeat_nothing(alone: Path, tmp_path: Path) -> None:
    """Each process is killed when the journal has grown by so many bytes, which may be in the middle of a line."""
    campaign(400).write(tmp_path)
    path, random = tmp_path / journal.NAME, Random(7)
    killed = 0
    while killed < KILLS:
        process = subprocess.Popen([sys.executable, "-m", "tests.harness.fuzz.campaign.fakes", str(tmp_path)])
        enough = (path.stat().st_size if path.exists() else 0) + random.randrange(1, 20_000)
        while process.poll() is None and (not path.exists() or path.stat().st_size < enough):
            time.sleep(0.005)
        process.kill()
        ended = process.wait()
        killed += 1
        if ended == 0:
            break
    assert killed > 3
    carried_out(tmp_path, plan.read(tmp_path))
    assert found(tmp_path) == found(alone)
    assert counts(tmp_path) == counts(alone)
    assert covered(tmp_path) == covered(alone)
    assert files(tmp_path) == files(alone)
    numbers = [number for entry in journal.read(tmp_path) for number in entry.numbers]
    assert sorted(numbers) == list(range(400))


def test_half_a_line_is_no_line(alone: Path, tmp_path: Path) -> None:
    whole = (alone / journal.NAME).read_bytes()
    end = whole.rindex(b"\n", 0, -1) + 1
    for cut in (end + 1, len(whole) - 1):
        (tmp_path / journal.NAME).write_bytes(whole[:cut])
        assert len(list(journal.read(tmp_path))) == len(list(journal.read(alone))) - 1
        with Journal(tmp_path):
            assert (tmp_path / journal.NAME).read_bytes() == whole[:end]


def test_a_journal_has_one_writer(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(UserError, match="another hil"), Journal(tmp_path):
        pass


def test_what_is_no_journal_is_told(tmp_path: Path) -> None:
    for line, word in ((b"nonsense\n", "line 1 .* is not JSON"), (b'{"first": "x"}\n', "line 1 .*first")):
        (tmp_path / journal.NAME).write_bytes(line)
        with pytest.raises(UserError, match=word):
            list(journal.read(tmp_path))


def test_a_journal_of_other_lanes_is_told(alone: Path) -> None:
    entry = next(journal.read(alone))
    totals = Totals(campaign(400).lanes[1:])
    with pytest.raises(UserError, match=f"{campaign(400).lanes[0]}, which is no lane"):
        totals.add(entry)


def test_shards_together_find_the_same(alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what not all of them have is told."""
    monkeypatch.setenv("HIL_HISTORY", str(tmp_path / "history.sqlite"))
    folders = [tmp_path / str(shard) for shard in (1, 2, 3)]
    for shard, folder in enumerate(folders, 1):
        carried_out(folder, campaign(400, shard=shard, shards=3))
    assert files(folders[0]) < files(alone)

    def merged(*those: Path, status: int = 1) -> tuple[Path, str]:
        into, words = tmp_path / f"merged-{len(those)}", [word for one in those for word in ("--merge", str(one))]
        told = CliRunner().invoke(fuzz, [*words, "--output", str(into)], standalone_mode=False)
        assert not isinstance(told.exception, Exception), told.exception
        assert told.return_value == status
        return (into / "latest").resolve(), told.output

    folder, told = merged(*folders)
    assert plan.read(folder) == campaign(400)
    assert found(folder) == found(alone)
    assert counts(folder) == counts(alone)
    assert covered(folder) == covered(alone)
    assert files(folder) == files(alone)
    assert "to go on" not in told
    folder, told = merged(folders[0], status=3)
    assert f"136 of 400 cases; to go on: hil fuzz --resume {folder}" in told
    assert json.loads((folder / "results.json").read_text())["interrupted"], "what lacks cases looks as if it had all"


def test_a_finding_of_several_shards_is_that_of_the_first_with_what_is_beside_it(tmp_path: Path) -> None:
    """What has no file of its own was left by a kill."""
    into, shards = tmp_path / "merged", [tmp_path / "1", tmp_path / "2"]
    into.mkdir()
    for shard, names in zip(shards, (("a.json", "a.py", "b.c"), ("a.json", "a.c", "c.json", "c.c")), strict=True):
        (shard / FOLDER).mkdir(parents=True)
        campaign(16).write(shard)
        for name in names:
            (shard / FOLDER / name).write_text(shard.name)
    merging.merge(shards, into)
    expected = {"a.json": "1", "a.py": "1", "c.json": "2", "c.c": "2"}
    assert {path.name: path.read_text() for path in (into / FOLDER).iterdir()} == expected


def test_what_a_shard_lacks_is_run_where_all_are_merged(alone: Path, tmp_path: Path) -> None:
    carried_out(tmp_path / "1", campaign(400, shard=1, shards=2))
    (tmp_path / "merged").mkdir()
    merging.merge([tmp_path / "1"], tmp_path / "merged")
    carried_out(tmp_path / "merged", plan.read(tmp_path / "merged"))
    assert found(tmp_path / "merged") == found(alone)


def test_a_shard_is_not_merged_with_itself(tmp_path: Path) -> None:
    campaign(8).write(tmp_path)
    with pytest.raises(UserError, match="is given twice"):
        merging.merge([tmp_path, tmp_path / ".." / tmp_path.name], tmp_path / "merged")


def test_other_campaigns_are_not_merged(tmp_path: Path) -> None:
    for name, one in (("a", campaign(16)), ("b", campaign(16, seed=2))):
        (tmp_path / name).mkdir()
        one.write(tmp_path / name)
    with pytest.raises(UserError, match=r"another campaign .*: seed"):
        merging.merge([tmp_path / "a", tmp_path / "b"], tmp_path)


def test_a_journal_that_cannot_be_written_says_so_and_is_free_again(tmp_path: Path) -> None:
    (entry, *_) = entries(8, 8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
        with pytest.raises(BenchError, match=r"cannot write .*journal.jsonl: File too large"), Journal(tmp_path) as one:
            one.append(entry)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert not list(journal.read(tmp_path))
    with Journal(tmp_path) as again:
        again.append(entry)
    assert list(journal.read(tmp_path)) == [entry]


def test_no_minutes_begin_nothing(tmp_path: Path) -> None:
    one = campaign(400)
    totals = Totals(one.lanes)
    run(one, tmp_path, 2, lambda _: None, totals=totals, minutes=0)
    assert totals.cases == 0


def test_a_range_records_what_no_range_before_it_reached(alone: Path) -> None:
    recorded = [point for entry in journal.read(alone) for points in entry.reached.values() for point in points]
    assert len(recorded) == len(set(recorded)) == 50


def test_memory_grows_with_kinds_not_with_cases() -> None:
    listed = []
    for count in (10_000, 100_000):
        totals = Totals(campaign(count).lanes)
        for entry in entries(count, RANGE):
            totals.add(entry)
        listed.append((len(totals.listed), len(totals.kinds)))
        assert sum(sum(one.values()) for one in totals.counts().values()) == -(-count // RANGE) * RANGE * 6
    assert listed[0] == listed[1]
    assert listed[0][0] <= listed[0][1] * MOST


def test_what_nobody_judges_is_listed_whatever_else_of_its_kind_agrees() -> None:
    lane = campaign(8).lanes[0]
    step = OperationReport(6, "LoadProgram(...)", prediction="unpredicted: no rule", observation="EINVAL")
    judged, alone = (replace(step, against=against) for against in (("another lane",), ()))
    agree = [ScriptResult(lane, f"case-1-{number}", Verdict.AGREE, unpredicted=(judged,)) for number in range(5)]
    nobody = ScriptResult(lane, "case-1-7", Verdict.AGREE, unpredicted=(alone,))
    totals = Totals(campaign(8).lanes)
    totals.add(Entry(0, 8, (), (*agree, nobody), 0.0, {}))
    assert [one.script for one in totals.listed] == ["case-1-0", "case-1-1", "case-1-7"]
    assert totals.findings == 0


def test_the_generator_is_all_code_that_decides_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything of the harness that a campaign's process loads, and the errors of kernels that are known; what only
    shows or starts campaigns is none of it."""
    read: set[Path] = set()
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.add(path) or b"")  # type: ignore[func-returns-value]
    plan.generator.__wrapped__()
    monkeypatch.undo()
    files = "(getattr(one, '__file__', '') for one in sys.modules.values())"
    loads = f"import sys, harness.fuzz.campaign.work; print(*{files})"
    loaded = subprocess.run([sys.executable, "-c", loads], check=True, capture_output=True, text=True).stdout.split()
    harness = Path(plan.harness.__path__[0])
    own = {Path(file) for file in loaded if Path(file).is_relative_to(harness)}
    assert harness / "fuzz" / "generate.py" in own
    assert own <= read, own - read
    assert harness / "kernel_bugs" / "bugs.toml" in read
    assert harness / "fuzz" / "commands.py" not in read
    shown = {"report", "history", "benchmarks", "debug", "check"}
    assert not {path for path in read if path.relative_to(harness).parts[0] in shown}


def test_a_campaign_is_read_as_it_was_written(tmp_path: Path) -> None:
    one = campaign(400, shard=2, shards=3, generator="g")
    one.write(tmp_path)
    assert plan.read(tmp_path) == one
    for text in ("", "[]", "{}", json.dumps({"format": 1}), json.dumps({"format": 99})):
        (tmp_path / plan.NAME).write_text(text)
        with pytest.raises(UserError):
            plan.read(tmp_path)
    with pytest.raises(UserError, match="cannot read"):
        plan.read(tmp_path / "none")


@pytest.mark.parametrize("shards", [1, 2, 5])
def test_shards_are_all_of_it(shards: int) -> None:
    parts = [campaign(1000, shard=shard, shards=shards) for shard in range(1, shards + 1)]
    numbers = [number for one in parts for piece in one.ranges() for number in piece]
    assert sorted(numbers) == list(range(1000))
    assert sum(one.cases for one in parts) == 1000
    assert all(replace(one, shard=1, shards=1) == one.whole() == campaign(1000) for one in parts)


@pytest.mark.parametrize(
    "change", [{"count": "x"}, {"count": 0}, {"size": 0}, {"shards": 0}, {"shard": 9}, {"seed": None}, {"places": [1]}]
)
def test_what_is_no_campaign_is_told(change: dict[str, object], tmp_path: Path) -> None:
    campaign(16).write(tmp_path)
    assert plan.read(tmp_path) == campaign(16)
    good = json.loads((tmp_path / plan.NAME).read_text())
    (tmp_path / plan.NAME).write_text(json.dumps({**good, **change}))
    with pytest.raises(UserError, match=r"campaign\.json"):
        plan.read(tmp_path)
