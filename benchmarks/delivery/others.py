"""The same values into other tools, each of which may be missing or fail."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.delivery.frames import FRAMES, STATISTICS, values
from benchmarks.network import Network

TOOLS = {
    "mlflow": "MLflow, 4 clients of its tracking server, SQLite",
    "trackio": "trackio, in the process that logs",
    "wandb": "W&B offline, in the process that logs",
}
SCRIPT = Path(__file__).with_name("other.py")


@dataclass(frozen=True)
class Logged:
    """What a tool stored of frames that came as fast as it took them."""

    version: str
    values: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Values."""
        return self.values / self.seconds


@dataclass(frozen=True)
class Failed:
    """Why nothing is known of a tool."""

    reason: str


def missing(python: Path) -> list[str]:
    """Those that this interpreter does not have."""
    code = f"import importlib.util as u; print(*(t for t in {list(TOOLS)} if not u.find_spec(t)))"
    return _run(python, "-c", code).split()


def measure(
    python: Path, folder: Path, *, layers: int, seconds: float
) -> Mapping[str, Logged | Failed]:
    """What each tool did: one that fails does not end the others."""
    folder.mkdir()
    network = Network("", layers)
    names = [
        f"{network.path(layer)}/{id}"
        for layer in range(layers)
        for ids in STATISTICS.values()
        for id in ids
    ]
    (folder / "names.json").write_text(json.dumps(names))
    frames = np.stack([values(layers, frame).ravel() for frame in range(len(FRAMES))])
    np.save(folder / "frames.npy", frames)
    not_installed = dict.fromkeys(missing(python), Failed("not installed"))
    return {
        tool: not_installed.get(tool) or _logged(python, tool, folder, seconds) for tool in TOOLS
    }


def _logged(python: Path, tool: str, folder: Path, seconds: float) -> Logged | Failed:
    try:
        _run(python, str(SCRIPT), tool, str(folder), str(seconds))
    except RuntimeError as error:
        return Failed(str(error).splitlines()[-1])
    return Logged(**json.loads((folder / f"{tool}.json").read_text()))


def _run(python: Path, *arguments: str) -> str:
    # -P: beside the script lie modules that a tool must not take for its own.
    command = [str(python), "-P", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} failed:\n{done.stderr[-4_000:]}")
    return done.stdout
