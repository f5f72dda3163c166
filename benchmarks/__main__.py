"""`python -m benchmarks`: every benchmark, one after the other."""

import argparse

from benchmarks import dashboard, diagnosis, ingest, overhead

argparse.ArgumentParser(
    prog="python -m benchmarks",
    description="Every benchmark: "
    + ", ".join(
        f"python -m benchmarks.{name}" for name in ("overhead", "diagnosis", "ingest", "dashboard")
    ),
).parse_args()
overhead.main([])
overhead.main(["--memory"])
diagnosis.main([])
ingest.main([])
dashboard.main([])
