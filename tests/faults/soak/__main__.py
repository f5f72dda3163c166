"""`python -m tests.faults.soak`."""

from .command import main

main()
