"""Several devices, and several processes that train one model: same bits, one run."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gainstage.client import Client

from .serving import serving

ROOT = Path(__file__).parents[2]
# Every call but the first and the half batch that ends an epoch; of two validations of one batch,
# the second.
FRAMES = 9 + 1
PATIENCE = 200.0


def python(*arguments: str, backend: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": backend, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(processes: Sequence["subprocess.Popen[str]"]) -> list[tuple[str, str]]:
    """What each has printed and logged; where one waits for ever, all are killed."""
    try:
        return [process.communicate(timeout=PATIENCE) for process in processes]
    finally:
        for process in processes:
            process.kill()


@pytest.mark.parametrize(
    ("backend", "flags", "expected"),
    [
        # Different, devices, frames, rows, finite, with gradients.
        (
            "tensorflow",
            "",
            {
                "mirrored": [[], 2, FRAMES, 5, True, True],
                "one device": [[], 1, FRAMES, 5, True, True],
                "central storage": [[], 2, FRAMES, 2, True, True],
            },
        ),
        (
            "jax",
            "--xla_force_host_platform_device_count=2",
            {
                "data parallel": [[], 2, FRAMES, 5, True, True],
                "model parallel": [[], 2, FRAMES, 5, True, True],
            },
        ),
    ],
    ids=["tensorflow", "jax"],
)
def test_every_bit_is_the_same_on_two_devices(
    backend: str, flags: str, expected: dict[str, list[Any]]
) -> None:
    flags = f"{os.environ['XLA_FLAGS']} {flags}"

    process = python("-m", "tests.monitor.devices", backend=backend, XLA_FLAGS=flags)

    ((said, logged),) = ended([process])

    assert process.returncode == 0, logged
    assert json.loads(said.splitlines()[-1]) == expected, logged


@pytest.fixture
def ports() -> list[str]:
    """Two that were free just now."""
    with socket.socket() as one, socket.socket() as other:
        for unused in (one, other):
            unused.bind(("127.0.0.1", 0))
        return [str(unused.getsockname()[1]) for unused in (one, other)]


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_workers_write_to_one_run_and_the_chief_speaks_for_it(
    backend: str, ports: list[str], tmp_path: Path
) -> None:
    with serving(tmp_path / "server") as url:
        workers = [
            python(
                "-m",
                "tests.monitor.worker",
                *(str(number), *ports, url, str(tmp_path / "spool")),
                backend=backend,
            )
            for number in range(2)
        ]
        (chief, chief_logged), (other, other_logged) = ended(workers)
        server = Client(url, None)
        run = server.run("together")

    assert [worker.returncode for worker in workers] == [0, 0], chief_logged + other_logged
    assert "different: []" in chief
    assert "different: []" in other
    sampled = [int(re.search(r"sampled: (\d+) 5 \[", said)[1]) for said in (chief, other)]
    assert sampled[0] > sampled[1] > 0
    attempts = sorted((one["worker"], one["frames"], one["status"]) for one in run["attempts"])
    assert attempts == [(0, sampled[0], "completed"), (1, sampled[1], "completed")]
    assert (run["status"], run["frames"]) == ("ended", sum(sampled))
    # Of a model that torch has wrapped, as its own loops do.
    assert ("wrapped: 1" in chief) == ("wrapped: 1" in other) == (backend == "torch")
    assert "layers are judged" in chief
    assert "layers are judged" not in other
    # Nothing waits, and what cannot be read without the other process is refused.
    assert list((tmp_path / "spool").iterdir()) == []
    split = (
        "gainstage: This training is not watched, and goes on. Expected every weight to lie whole"
    )
    for logged in (chief_logged, other_logged):
        assert logged.count("gainstage: ") == logged.count(split) == (backend == "jax")
