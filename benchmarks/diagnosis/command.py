"""The command line: trains, judges, prints."""

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

import benchmarks.diagnosis
from benchmarks.diagnosis.families import Family
from benchmarks.diagnosis.faults import FAULTS
from benchmarks.diagnosis.healthy import FAMILIES as HEALTHY_FAMILIES
from benchmarks.diagnosis.judge import HEALTHY, judge, right
from benchmarks.diagnosis.neighbours import alarms
from benchmarks.diagnosis.record import UnappliedError, record
from benchmarks.diagnosis.remedies import TRIED, tried
from benchmarks.diagnosis.score import (
    Row,
    by_family,
    compared,
    contested,
    f1_of_each,
    false_alarms,
    helped,
    is_fair,
    macro_f1,
    runs,
    waits,
    winners,
)

FAMILIES: dict[str, tuple[str, Family]] = {
    family.name: (verdict, family)
    for verdict, families in {**FAULTS, HEALTHY: HEALTHY_FAMILIES}.items()
    for family in families
}


HALVES = {"reported": True, "chosen": False}


def main(arguments: list[str] | None = None) -> None:
    """Trains, judges and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.diagnosis",
        description=(benchmarks.diagnosis.__doc__ or "").partition("\n")[0],
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--half", choices=HALVES, help="families of one half; without, of both")
    which.add_argument("--families", nargs="+", choices=FAMILIES, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=5, help="cases of each family")
    parser.add_argument("--jobs", type=int, default=1, help="processes, of one core each")
    parser.add_argument("--kept", type=Path, help="folder of the recordings")
    parser.add_argument(
        "--trials", action="store_true", help="try the remedies where a cause of range was found"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    cases = cases_of(given.families or families_of(given.half), given.seeds)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        kept = given.kept or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        for row in judgements(cases, kept, trials=given.trials, jobs=given.jobs):
            rows.append(row)
            if not given.json:
                print(line(row), flush=True)
    halves = {
        "reported": summary([row for row in rows if row.reported]),
        "chosen on": summary([row for row in rows if not row.reported]),
    }
    if given.json:
        print(msgspec.json.encode({"rows": rows, **halves}).decode())
        return
    for half, told in halves.items():
        print(f"families that are {half}")
        for what, figure in told.items():
            print(f"    {what}: {figure}")


def families_of(half: str | None) -> list[str]:
    """Names of the families of one half of HALVES, or of both."""
    return [
        name
        for name, (_, family) in FAMILIES.items()
        if half is None or family.reported == HALVES[half]
    ]


def cases_of(names: Sequence[str], seeds: int) -> list[tuple[str, int]]:
    """Name and seed of each case of these families."""
    return [(name, seed) for name in names for seed in range(seeds * FAMILIES[name][1].draws)]


def judgements(
    cases: Sequence[tuple[str, int]], kept: Path, *, trials: bool, jobs: int
) -> Iterator[Row]:
    """`judged` of each name and seed, in their order."""
    judge_one = partial(judged, kept=kept, trials=trials)
    names, seeds = [name for name, _ in cases], [seed for _, seed in cases]
    if jobs == 1:
        yield from map(judge_one, names, seeds)
        return
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[threads] = "1"  # of the processes, which import TensorFlow anew
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(judge_one, names, seeds)


def judged(name: str, seed: int, kept: Path, *, trials: bool = False) -> Row:
    """One case of the family of that name, what its patch does, and what trials say of it."""
    verdict, family = FAMILIES[name]
    recording = record(family, seed, kept)
    found = judge(recording)
    cured, quality, applied = None, None, None
    if found.first is not None and found.first.code:
        try:
            patched = record(family, seed, kept, found.first)
        except UnappliedError:
            cured, applied = False, False
        else:
            cured = all(one.verdict != found.verdict for one in judge(patched).open)
            quality, applied = patched.quality, True
    trial = None
    if trials and found.first is not None and found.verdict in TRIED:
        trial = tried(family, seed, found.first, kept)
    return Row(
        family=name,
        reported=family.reported,
        expected=verdict,
        seed=seed,
        found=found.verdict,
        layer=found.layer,
        right=right(found, verdict, recording.layers),
        grace=found.grace,
        samples=found.samples,
        quality=recording.quality,
        patched=quality,
        cured=cured,
        runs=applied,
        tried=trial,
        failed=recording.failed,
        peers=alarms(recording),
    )


def summary(rows: Sequence[Row]) -> dict[str, str]:
    """What is claimed, of rows of one half."""
    told: dict[str, str] = {}
    if unfair := sum(not is_fair(row) for row in rows):
        told["trainings without a fault that failed, and are left out"] = str(unfair)
    rows = [row for row in rows if is_fair(row)]
    if any(row.expected != HEALTHY for row in rows):
        told["macro-F1 of the cause"] = str(by_family(rows, macro_f1))
        each = f1_of_each(rows).items()
        told["F1 of each verdict"] = ", ".join(f"{verdict} {f1:.2f}" for verdict, f1 in each)
        graces, delays = waits(rows)
        told["samples before the symptom shows, median and most"] = graces
        told["samples from there to a right finding, median and most"] = delays
    if any(row.cured is not None for row in rows):
        told["patches that run"] = str(runs(rows))
        told["patches that end the finding and cost nothing"] = str(helped(rows))
    if (contest := contested(rows)) is not None:
        won, close = contest
        told["activity penalty beats kernel penalty in the trial"] = str(won)
        told["the same, or is behind by no more than a point"] = str(close)
    told |= winners(rows)
    if {HEALTHY} < {row.expected for row in rows}:
        told |= {name: str(tool) for name, tool in compared(rows).items()}
    if any(row.expected == HEALTHY for row in rows):
        told["healthy trainings with an alarm"] = str(false_alarms(rows))
    return told


def line(row: Row) -> str:
    """A row as people read it."""
    mark = " " if row.right else "!"
    after = "" if row.samples is None else f"after {row.samples}"
    patch = ""
    if row.cured is not None:
        patch = f" -> {_number(row.patched)}{'' if row.cured else ', finding stays'}"
    return (
        f"{mark} {row.expected:17}{row.family:27}{row.seed:2}  {row.found:17}{row.layer:14}"
        f"{after:9}{_number(row.quality)}{patch}"
    )


def _number(quality: float | None) -> str:
    return f"{'-' if quality is None else f'{quality:.3f}':>6}"
