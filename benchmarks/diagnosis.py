"""How often the verdict is right, how early it comes, and what the patch does.

    python -m benchmarks.diagnosis [--data NAME ...] [--cases NAME ...] [--seeds N] [--json]

Every case of `gainstage.cases` is trained with a monitor; a finding's own patch is executed and the
case trained again. A case without a fault counts a false alarm for each finding of any layer.
"""

import argparse
import json
import os
from contextlib import redirect_stdout
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from gainstage import LayerMonitor, cases

DATA = ("digits", "breast_cancer", "wine")
CASES = {case.name: case for case in cases.CASES}
EVERY = 10


def train(data: cases.Data, case: cases.Case, layers: list[Any], seed: int) -> tuple[Any, float]:
    """The monitor of a training, and the accuracy on held-out examples."""
    keras.utils.set_random_seed(seed)
    monitor = LayerMonitor(False, every=EVERY)
    with redirect_stdout(None):  # of the table at the end of `fit`
        return monitor, cases.train(cases.build(data, case, layers), data, case, [monitor])


def judge(name: str, case: cases.Case, seed: int) -> dict[str, Any]:
    """One row: the verdict that fits, what was found, and the accuracies without and with it."""
    data = cases.load(name)
    monitor, before = train(data, case, case.hidden(), seed)
    found = sorted(monitor.findings(), key=lambda finding: finding.since_step)
    row = {
        "data": name,
        "case": case.name,
        "seed": seed,
        "expected": case.verdict,
        "found": [finding.verdict for finding in found],
        "since step": found[0].since_step if found else None,
        "accuracy": before,
        "patched": None,
    }
    if found and found[0].code:
        scope: dict[str, Any] = {"keras": keras}
        exec(found[0].code, scope)
        _, row["patched"] = train(data, case, scope["replacement"], seed)
    row["right"] = row["found"][:1] == ([] if case.verdict == "healthy" else [case.verdict])
    return row


def main(arguments: list[str] | None = None) -> None:
    """Trains, judges and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.diagnosis", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--data", nargs="+", choices=DATA, default=DATA, help="data sets")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES, help="cases")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each case")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    for name in given.data:
        for case in given.cases:
            for seed in range(given.seeds):
                rows.append(judge(name, CASES[case], seed))
                if not given.json:
                    print(line(rows[-1]), flush=True)
    right = sum(row["right"] for row in rows)
    alarms = sum(len(row["found"]) for row in rows if row["expected"] == "healthy")
    if given.json:
        print(json.dumps({"rows": rows, "right": right, "of": len(rows), "false alarms": alarms}))
    else:
        healthy = sum(row["expected"] == "healthy" for row in rows)
        print(f"{right} of {len(rows)} right; {alarms} false alarms in {healthy} healthy trainings")


def line(row: dict[str, Any]) -> str:
    """A row as people read it."""
    patched = "" if row["patched"] is None else f" -> {row['patched']:.3f}"
    mark = " " if row["right"] else "!"
    found = ", ".join(row["found"]) or "nothing"
    return (
        f"{mark} {row['data']:14} {row['case']:18} {row['expected']:9} found {found:20} "
        f"accuracy {row['accuracy']:.3f}{patched}"
    )


if __name__ == "__main__":
    main()
