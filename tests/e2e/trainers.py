"""What feeds the server: a real `fit` in a process of its own, and messages made by hand."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
from websockets.sync.client import ClientConnection, connect

from gainstage import wire
from gainstage.outcome import Trial
from gainstage.statistics import BY_ID


@contextmanager
def training(url: str, folder: Path, run: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`fit.py` for the server at `url`; it waits after its first steps for a line on its stdin."""
    with (folder / f"{run}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("fit.py")), url, run],
            env=os.environ | {"GAINSTAGE_SPOOL": str(folder / "spool")},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def remedy(what: str, url: str, run: str, folder: Path) -> None:
    """`remedy.py` to its end."""
    log = folder / f"{what}.log"
    with log.open("wb") as written:
        ended = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("remedy.py")), what, url, run],
            env=os.environ | {"GAINSTAGE_SPOOL": str(folder / "spool")},
            stdout=written,
            stderr=subprocess.STDOUT,
            check=False,
        )
    assert ended.returncode == 0, log.read_text()


class HandMade:
    """A run made message by message: what Keras itself would not name or do.

    `start` holds fields of its first message.
    """

    def __init__(
        self,
        connection: ClientConnection,
        run: str,
        rows: Sequence[wire.Row],
        columns: Sequence[str],
        *,
        attempt: str = "a1",
        worker: int = 0,
        **start: object,
    ) -> None:
        self._connection = connection
        self._shape = len(rows), len(columns)
        self._identity = {"run": run, "attempt": attempt, "worker": worker, "time": time.time()}
        self._seq = 0
        described = tuple(wire.Column(column, BY_ID[column].version) for column in columns)
        mask = np.packbits(np.ones(self._shape, bool), bitorder="little").tobytes()
        self._send(
            wire.RunStart(**self._next() | {"project": "e2e"} | start),
            wire.Schema(
                **self._next(),
                rows=tuple(rows),
                blocks={"layers": wire.BlockSchema(described, mask=mask)},
                training=wire.Training(backend="tensorflow", keras="3.15.0"),
            ),
        )

    def sample(self, step: int, *, nonfinite: float = 0.0, **logs: float) -> None:
        self.frame(step, [nonfinite], **logs)

    def frame(self, step: int, values: Sequence[float], **logs: float) -> None:
        """All rows have the same values, in the order of the columns."""
        block = np.broadcast_to(np.asarray(values, np.float32), self._shape)
        frame = wire.Frame(**self._next(), schema=1, step=step, logs=logs)
        self._send(frame, blocks={"layers": np.ascontiguousarray(block)})

    def burst(self, steps: Iterable[int], values: Sequence[float]) -> None:
        """Frames one upon the other, with nothing waited for between them."""
        block = np.broadcast_to(np.asarray(values, np.float32), self._shape)
        for step in steps:
            frame = wire.Frame(**self._next(), schema=1, step=step)
            self._connection.send(wire.encode(frame, {"layers": np.ascontiguousarray(block)}))
        while wire.decode(self._connection.recv(timeout=30))[0].seq < self._seq - 1:
            pass

    def trial(self, trial: Trial) -> None:
        said = {name: getattr(trial, name) for name in ("layer", "contestants", "seeds", "steps")}
        result = wire.TrialResult(
            **self._next(), **said, columns=trial.columns, interrupted=trial.interrupted
        )
        self._send(result, blocks={wire.OUTCOMES: trial.outcomes})

    def end(self, status: Literal["completed", "interrupted"] = "completed") -> None:
        self._send(wire.RunEnd(**self._next(), status=status, frames=self._seq))

    def _next(self) -> dict[str, object]:
        self._seq += 1
        return self._identity | {"seq": self._seq - 1}

    def _send(self, *messages: wire.AnyMessage, blocks: object = None) -> None:
        for message in messages:
            self._connection.send(wire.encode(message, blocks))
            answer, _ = wire.decode(self._connection.recv(timeout=30))
            assert isinstance(answer, wire.Ack), answer


@contextmanager
def hand_made(
    server: str,
    run: str,
    layer: str = "model/dense",
    *,
    token: str = "",
    rows: Sequence[wire.Row] = (),
    columns: Sequence[str] = ("nonfinite_rate",),
    **start: object,
) -> Iterator[HandMade]:
    """A run of `rows`, or of one dense layer named `layer`."""
    rows = rows or (wire.Row(id="row0", path=layer, kind="Dense"),)
    url = server.replace("http", "ws", 1) + "/api/v1/ingest"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with connect(url, compression=None, additional_headers=headers) as connection:
        yield HandMade(connection, run, rows, columns, **start)
