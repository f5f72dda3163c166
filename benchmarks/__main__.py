"""`python -m benchmarks`: every benchmark, one after the other."""

import argparse
import sys
from collections.abc import Callable, Sequence

from benchmarks import dashboard, delivery, diagnosis, fold, overhead, queries, scrape

Benchmark = tuple[str, Callable[[list[str]], None], list[str]]

BENCHMARKS: Sequence[Benchmark] = (
    ("overhead", overhead.main, []),
    ("overhead", overhead.main, ["--memory"]),
    ("diagnosis", diagnosis.main, []),
    ("fold", fold.main, []),
    ("delivery", delivery.main, []),
    ("queries", queries.main, []),
    ("scrape", scrape.main, []),
    ("dashboard", dashboard.main, []),
)


def run(benchmarks: Sequence[Benchmark]) -> list[str]:
    """Run them all; the names of those that gave up, and have said why."""
    gave_up: list[str] = []
    for name, main, arguments in benchmarks:
        try:
            main(arguments)
        except SystemExit as ended:
            if ended.code:
                # What an exception carries is printed by the interpreter only where it ends by it.
                if isinstance(ended.code, str):
                    print(ended.code, file=sys.stderr)
                gave_up.append(name)
    return gave_up


if __name__ == "__main__":
    names = ", ".join(
        f"python -m benchmarks.{name}" for name in dict.fromkeys(one[0] for one in BENCHMARKS)
    )
    argparse.ArgumentParser(
        prog="python -m benchmarks", description=f"Every benchmark: {names}"
    ).parse_args()
    if missing := run(BENCHMARKS):
        sys.exit(f"Not measured, for the reasons given above: {', '.join(missing)}.")
