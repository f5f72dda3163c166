"""`python -m benchmarks`: every benchmark, one after the other."""

import argparse

from benchmarks import dashboard, delivery, diagnosis, fold, overhead, queries, scrape

argparse.ArgumentParser(
    prog="python -m benchmarks",
    description="Every benchmark: "
    + ", ".join(
        f"python -m benchmarks.{name}"
        for name in ("overhead", "diagnosis", "fold", "delivery", "queries", "scrape", "dashboard")
    ),
).parse_args()
overhead.main([])
overhead.main(["--memory"])
diagnosis.main([])
fold.main([])
delivery.main([])
queries.main([])
scrape.main([])
dashboard.main([])
