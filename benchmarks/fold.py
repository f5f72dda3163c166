"""What the diagnosis of a frame costs, by layers and by findings that are open.

    python -m benchmarks.fold [--rounds N] [--frames N] [--json]

All 58 statistics of every layer, the block of gradients in each frame. The same values come again
at every step; what they cost does not depend on them, but on what is found in them.

    ms           processor time of `advance`, which takes one thread, for a frame
    operations   the same in units of one comparison of two rows of that many numbers by NumPy, so
                 that figures of different machines can be told from figures of different rules
    state        processor time of `dump_state`, which the server calls every 16 frames or when a
                 finding changes, and the size of what it writes

Each is the least of the rounds: whatever else the machine does adds to the time of some.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import thread_time

import msgspec
import numpy as np

from benchmarks.machine import cores, cpu
from benchmarks.network import EVERY, LOUDER_DB, Network
from gainstage import wire
from gainstage.diagnosis import State, advance, begin, dump_state
from gainstage.statistics import INDEX

LAYERS = (10, 100, 1_000)
FINDINGS = 50
WARM = 20  # frames: findings open and windows fill


@dataclass(frozen=True)
class Cost:
    """Of a frame; see above."""

    layers: int
    findings: int
    ms: float
    operations: float
    state_ms: float
    state_kb: float


def sampled(layers: int, faults: int) -> tuple[wire.Schema, wire.Frame, dict[str, wire.FloatBlock]]:
    """A schema and a frame of healthy layers, but for so many whose weights are aligned."""
    network = Network("fold", layers)
    _, schema = (wire.decode(message)[0] for message in network.opening())
    frame, blocks = wire.decode(network.message(0))
    assert isinstance(schema, wire.Schema)
    assert isinstance(frame, wire.Frame)
    values = blocks["layers"].copy()
    faulty = np.linspace(0, layers - 1, faults).astype(int)
    values[faulty, INDEX["coherence_db"]] += LOUDER_DB
    values[faulty, INDEX["pre_db"]] += LOUDER_DB
    values[faulty, INDEX["saturation_rate"]] = 0.9
    return schema, frame, {**blocks, "layers": values}


def measure(layers: int, faults: int, rounds: int, frames: int) -> Cost:
    """The cost of one more frame, `faults` findings being open."""
    schema, frame, blocks = sampled(layers, faults)
    state = begin(schema)

    def fold() -> State:
        nonlocal state
        step = state.step + EVERY
        state, _ = advance(state, msgspec.structs.replace(frame, step=step), blocks)
        return state

    for _ in range(WARM):
        fold()
    seconds = least(fold, rounds, frames)
    some, others = np.random.default_rng(0).normal(size=(2, layers))
    return Cost(
        layers=layers,
        findings=len(state.findings),
        ms=1e3 * seconds,
        operations=seconds / least(lambda: some > others, rounds, 10 * frames),
        state_ms=1e3 * least(lambda: dump_state(state), rounds, frames),
        state_kb=len(dump_state(state)) / 1e3,
    )


def least(act: Callable[[], object], rounds: int, times: int) -> float:
    """Seconds of processor time that `act` takes in the round that was least disturbed."""
    taken: list[float] = []
    for _ in range(rounds):
        start = thread_time()
        for _ in range(times):
            act()
        taken.append((thread_time() - start) / times)
    return min(taken)


def main(arguments: list[str] | None = None) -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fold", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=20, help="the best of which counts")
    parser.add_argument("--frames", type=int, default=50, help="of a round")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    costs = [
        measure(layers, faults, given.rounds, given.frames)
        for layers in LAYERS
        for faults in (0, min(FINDINGS, layers // 2))
    ]
    machine = {"cpu": cpu(), "cores": cores()}
    if given.json:
        print(json.dumps({**machine, "costs": [asdict(cost) for cost in costs]}))
        return
    print(f"{machine['cpu']}, {machine['cores']} cores\n")
    print("layers  findings  ms a frame  operations  ms a state  kB a state")
    for cost in costs:
        print(
            f"{cost.layers:6,}{cost.findings:10}{cost.ms:12.3f}{cost.operations:12,.0f}"
            f"{cost.state_ms:12.3f}{cost.state_kb:12.1f}"
        )


if __name__ == "__main__":
    main()
