"""A training without Keras: the library's own recorder, spool and uplink, fed with drawn samples.

    python -m tests.faults.trainer PLAN

PLAN is a `Plan` as JSON. Prints "ready" once it has begun.
"""

import sys
import time
from collections.abc import Iterable

from websockets.sync.client import ClientConnection

from gainstage import delivery, handshake, spool, uplink
from gainstage.recorder import Recorder, RunIdentity

from . import drawn
from .crash import arm
from .journal import keep
from .plans import Plan

# Where a trainer can be told to die.
PLACES = {
    "append": (spool.Spool, "append"),
    "send": (ClientConnection, "send"),
    "acknowledged": (delivery.Delivery, "received"),
}
# The library's patience, shortened so that a test need not wait for it; and fewer messages on the
# way, so that no run is stored in less than a few commits.
HASTE = {
    delivery: {"FIRST_RETRY": 0.05, "LAST_RETRY": 0.2, "ANSWER_SECONDS": 2.0, "WINDOW": 4},
    handshake: {"TIMEOUT": 2.0},
    uplink: {"PING_SECONDS": 1.0, "SILENCE": 3.0},
}


def shorten() -> None:
    """Makes the uplink of this process impatient."""
    for module, constants in HASTE.items():
        for name, value in constants.items():
            assert hasattr(module, name), f"{module.__name__} has no {name} any more."
            setattr(module, name, value)


def begin(plan: Plan) -> Recorder:
    """A recorder that is set up as `plan` says."""
    shorten()
    spool.Spool.__init__.__kwdefaults__["max_bytes"] = plan.spool_bytes
    keep(plan.journal)
    if plan.crash is not None:
        arm(*PLACES[plan.crash.place], plan.crash)
    identity = RunIdentity(plan.run, "faults", (), {})
    return Recorder(identity, {}, url=plan.url, token=None, folder=plan.folder)


def train(made: Recorder, plan: Plan, steps: Iterable[int]) -> None:
    """Takes a sample at each of `steps`."""
    for step in steps:
        sample = drawn.sample(plan.layers, seed=step)
        made.record(sample, drawn.TRAINING, step=step, epoch=0, logs={"loss": 0.5}, costs={})
        time.sleep(plan.gap)


def main(plan: Plan) -> None:
    """Trains to the end."""
    made = begin(plan)
    print("ready", flush=True)
    train(made, plan, range(plan.frames))
    made.close("completed", plan.patience)


if __name__ == "__main__":
    main(Plan.read(sys.argv[1]))
