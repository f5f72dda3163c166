"""`python -m gainstage.cli`."""

from gainstage.cli import main

main()
