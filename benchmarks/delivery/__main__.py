"""`python -m benchmarks.delivery`."""

from benchmarks.delivery import main

main()
