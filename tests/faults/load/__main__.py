"""`python -m tests.faults.load`."""

from .command import main

main()
