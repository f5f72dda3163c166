"""`python -m benchmarks.dashboard`."""

from benchmarks.dashboard import main

main()
