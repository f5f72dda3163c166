"""A trainer that forks while it trains: `python -m tests.faults.forking PLAN`.

The child takes a sample of its own, ends the run and itself: all that is the parent's is untouched.
"""

import os
import sys

from . import trainer
from .plans import Plan


def main(plan: Plan) -> None:
    """Forks between two samples, and trains on."""
    made = trainer.begin(plan)
    half = plan.frames // 2
    trainer.train(made, plan, range(half))
    child = os.fork()
    if not child:
        trainer.train(made, plan, [half])
        made.close("completed", plan.patience)
        sys.exit()
    assert os.waitpid(child, 0)[1] == 0
    trainer.train(made, plan, range(half, plan.frames))
    made.close("completed", plan.patience)


if __name__ == "__main__":
    main(Plan.read(sys.argv[1]))
