"""Logs frames with another tool, as fast as it takes them: run as a script by its own interpreter.

    python other.py TOOL FOLDER SECONDS

FOLDER holds names.json, a name for each value, and frames.npy, [frames, values]. TOOL.json tells
how many values were logged, and in how many seconds they were all stored.
"""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

MOST_FRAMES = 250  # 10 million values: some take what comes into memory first
# The tracking server's limit for a request.
MLFLOW_BATCH = 1_000
MLFLOW_CLIENTS = 4
# Its server imports everything once for each of its processes.
START_SECONDS = 900.0


@dataclass(frozen=True)
class Job:
    """What is to be logged, where, and for how long at most."""

    folder: Path
    names: Sequence[str]
    frames: np.ndarray
    seconds: float

    def steps(self) -> Iterator[tuple[int, dict[str, float]]]:
        """Frames, until the time is up."""
        end = time.monotonic() + self.seconds
        for step in range(MOST_FRAMES):
            if time.monotonic() >= end:
                return
            values = self.frames[step % len(self.frames)].tolist()
            yield step, dict(zip(self.names, values, strict=True))


def wandb(job: Job) -> tuple[int, float]:
    """One call of `log` a frame, offline."""
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_CONSOLE": "off"}
    os.environ |= {
        f"WANDB_{name}": str(job.folder) for name in ("DIR", "CACHE_DIR", "CONFIG_DIR", "DATA_DIR")
    }
    import wandb

    run = wandb.init(project="delivery")
    logged, begun = 0, time.monotonic()
    for step, values in job.steps():
        run.log(values, step=step)
        logged += len(values)
    run.finish()
    taken = time.monotonic() - begun
    stored = sum(file.stat().st_size for file in job.folder.rglob("*.wandb"))
    _check(stored >= 4 * logged, f"{logged} values in {stored} bytes")
    return logged, taken


def trackio(job: Job) -> tuple[int, float]:
    """One call of `log` a frame, without its dashboard; it has a thread that stores batches."""
    os.environ |= {"TRACKIO_DIR": str(job.folder), "HF_HUB_OFFLINE": "1"}
    import trackio

    run = trackio.init("delivery", embed=False, auto_log_gpu=False, auto_log_cpu=False)
    logged, begun = 0, time.monotonic()
    for step, values in job.steps():
        run.log(values, step=step)
        logged += len(values)
    run.finish()
    taken = time.monotonic() - begun
    rows = sum(_count(file, "metrics") for file in job.folder.glob("*.db"))
    _check(rows * len(job.names) == logged, f"{logged} values in {rows} frames")
    return logged, taken


def mlflow(job: Job) -> tuple[int, float]:
    """Clients of a tracking server with SQLite, each with a run; requests as large as it takes."""
    # Its queues for jobs take memory and start-up that metrics have no use for.
    os.environ |= {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    database = job.folder / "mlflow.db"
    with _tracking_server(database) as url:
        client = MlflowClient(url)
        experiment = client.create_experiment("delivery")
        runs = [client.create_run(experiment).info.run_id for _ in range(MLFLOW_CLIENTS)]
        begun = time.monotonic()

        def log(run: str) -> int:
            logged = 0
            for step, values in job.steps():
                now = int(1e3 * time.time())
                metrics = [Metric(name, value, now, step) for name, value in values.items()]
                for first in range(0, len(metrics), MLFLOW_BATCH):
                    if time.monotonic() >= begun + job.seconds:
                        return logged
                    batch = metrics[first : first + MLFLOW_BATCH]
                    client.log_batch(run, metrics=batch, synchronous=True)
                    logged += len(batch)
            return logged

        with ThreadPoolExecutor(MLFLOW_CLIENTS) as clients:
            logged = sum(clients.map(log, runs))
        taken = time.monotonic() - begun
    rows = _count(database, "metrics")
    _check(rows == logged, f"{logged} values in {rows} rows")
    return logged, taken


@contextlib.contextmanager
def _tracking_server(database: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    store = ["--backend-store-uri", f"sqlite:///{database}"]
    with (database.parent / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*server, *store], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        end = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health"):
                break
            running = process.poll() is None and time.monotonic() < end
            _check(running, f"MLflow's server answers within {START_SECONDS:.0f} s")
            time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its workers with it; all is stored
        process.wait()


def _count(database: Path, table: str) -> int:
    with contextlib.closing(sqlite3.connect(database)) as opened:
        return opened.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def _check(held: bool, expected: str) -> None:
    if not held:
        raise SystemExit(f"Not so: {expected}.")


# Values that were stored, and the seconds from the first to the end of the last.
TOOLS: dict[str, Callable[[Job], tuple[int, float]]] = {
    "mlflow": mlflow,
    "trackio": trackio,
    "wandb": wandb,
}


def main(tool: str, folder: str, seconds: str) -> None:
    """Logs, and tells of it; what the tools print is no answer."""
    given = Path(folder)
    own = given / tool
    own.mkdir()
    names = json.loads((given / "names.json").read_text())
    job = Job(own, names, np.load(given / "frames.npy"), float(seconds))
    values, taken = TOOLS[tool](job)
    found = {"version": version(tool), "values": values, "seconds": taken}
    (given / f"{tool}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
