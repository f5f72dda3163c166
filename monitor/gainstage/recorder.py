"""From samples to frames: measures, spools and diagnoses one attempt of a run."""

import contextlib
import ctypes
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from gainstage import endings, report, units, wire
from gainstage.diagnosis import Finding, State, advance, begin
from gainstage.figures import RunFigures, frame_figures
from gainstage.frame import Table
from gainstage.measures import Meters
from gainstage.outcome import Trial
from gainstage.places import run_page, sync_command
from gainstage.sample import Sample
from gainstage.spool import SUFFIX, Spool, spool_at
from gainstage.statistics import BY_ID, GRADIENTS, IDS
from gainstage.summaries import Bools, Places
from gainstage.uplink import Uplink
from gainstage.workers import CHIEF

log = logging.getLogger("gainstage")

Message = TypeVar("Message", bound=wire.TrainerMessage)

# How long the end of an attempt waits for its messages to be stored, and how long one that was
# broken off; the rest stays in the spool.
DRAIN_SECONDS, BREAK_SECONDS = 5.0, 2.0


@dataclass(frozen=True)
class RunIdentity:
    """Names of a run, as the user gave them or as they were made, and who writes to it."""

    run: str
    project: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    worker: int = CHIEF


class Recorder:
    """One attempt of a run: its messages in order, its meters, and its diagnosis.

    Args:
        identity: What the run is called.
        environment: Versions and devices, as text.
        url: Address of the server; None: nothing is written to disk or sent.
        token: The server's token.
        folder: Where the spool lies.
    """

    def __init__(
        self,
        identity: RunIdentity,
        environment: Mapping[str, str],
        *,
        url: str | None,
        token: str | None,
        folder: Path,
    ) -> None:
        self.identity = identity
        self.attempt = secrets.token_hex(8)
        self.frames = 0
        self.newest: Table | None = None
        self.state: State | None = None
        self._last_frame = 0.0
        self._costs: Mapping[str, float] = {}
        self._seq = 0
        self._schema: wire.Schema | None = None
        self._meters = Meters(())
        self._validation: Meters | None = None
        self._exists: Bools = np.zeros((0, 0), bool)
        self._units: Places = np.zeros(0, np.intp)
        self._url, self._folder = url, folder
        self._spool: Spool | None = None
        self._uplink: Uplink | None = None
        self._met = False
        self._ended = False
        self._renew_locks()
        if url is not None:
            name = f"{identity.run}.{identity.worker}.{self.attempt}{SUFFIX}"
            self._spool = spool_at(folder / name)
            self._uplink = Uplink(self._spool, url, token)
            endings.expect(self)
        self._append(
            wire.RunStart,
            project=identity.project,
            tags=identity.tags,
            config=dict(identity.config),
            environment=dict(environment),
        )

    @property
    def page(self) -> str | None:
        """Address of the run's page; None where no server ever answered."""
        met = self._met if self._uplink is None else self._uplink.met
        if self._url is None or not met:
            return None
        return run_page(self._url, self.identity.run)

    def record(
        self,
        sample: Sample,
        training: wire.Training,
        *,
        step: int,
        epoch: int,
        logs: Mapping[str, float],
        costs: Mapping[str, float],
    ) -> list[Finding]:
        """Makes a frame of a sample, spools it, and returns the findings that it changed."""
        rows = sample.rows
        schema = self._schema
        if schema is None or schema.rows != rows:
            self._meters, schema = Meters(rows), None
        due = units.due(self._meters.samples, len(rows))
        unit_map = units.UnitMap(len(rows)) if due else None
        values, exists = self._meters.measure(sample.readings, step, unit_map)
        if schema is None:
            self._exists, self._units = exists, self._meters.units(sample.readings)
            schema = self._begin(rows, training)
        # What the schema promises and this sample lacks (all of a row's steps are masked) is NaN.
        values[self._exists & ~exists] = np.nan
        blocks = {"layers": values}
        if sample.gradients is not None:
            blocks["gradients"] = sample.gradients
        if unit_map is not None and units.UNITS in schema.blocks:
            blocks[units.UNITS] = unit_map.block(self._units)
        frame = self._frame(schema, blocks, step=step, epoch=epoch, logs=logs, costs=costs)
        self._last_frame, self._costs = frame.time, costs
        self.newest = Table(step, tuple(row.path for row in rows), values, self._exists)
        self.state, changed = advance(self.state or begin(schema), frame, blocks)
        return changed

    def record_validation(self, sample: Sample, *, step: int, epoch: int) -> list[Finding]:
        """Makes a frame of what the layers saw of a batch that is not trained on.

        It is shown beside the others, and not judged: there are no findings.
        """
        schema = self._schema
        if schema is None or schema.rows != sample.rows:
            return []
        if self._validation is None:
            self._validation = Meters(sample.rows)
        values, exists = self._validation.measure(sample.readings, step)
        values[self._exists & ~exists] = np.nan
        self._frame(schema, {"layers": values}, step=step, epoch=epoch, source="validation")
        return []

    def _frame(
        self, schema: wire.Schema, blocks: dict[str, wire.FloatBlock], **fields: Any
    ) -> wire.Frame:
        return self._append(wire.Frame, blocks, schema=schema.seq, **fields)

    def figures(self) -> RunFigures | None:
        """The run as Prometheus is shown it; None before the first frame. From any thread."""
        table, state = self.newest, self.state
        if table is None or state is None:
            return None
        return RunFigures(
            run=self.identity.run,
            project=self.identity.project,
            status="live",
            step=table.step,
            last_frame=self._last_frame,
            frames=self.frames,
            verdicts=state.verdicts,
            of_frame=frame_figures(table.column, state.layout.headroom_db),
            costs=self._costs,
            findings=[finding for finding in state.findings if finding.open],
        )

    def notice(self, level: Literal["info", "warning", "error"], code: str, text: str) -> None:
        """Tells whoever looks at the run."""
        self._append(wire.Notice, level=level, code=code, text=text)

    def trial(self, trial: Trial) -> None:
        """Adds what came out of a trial."""
        self._append(
            wire.TrialResult,
            {wire.OUTCOMES: trial.outcomes},
            layer=trial.layer,
            contestants=trial.contestants,
            seeds=trial.seeds,
            steps=trial.steps,
            columns=trial.columns,
            interrupted=trial.interrupted,
        )

    def close(
        self, status: Literal["completed", "interrupted"], patience: float = DRAIN_SECONDS
    ) -> bool:
        """Ends the attempt, and says what is left in the spool; returns False if it had ended.

        Waits `patience` seconds at most for a server that is listening, and for the connection to
        end twice `uplink.CLOSE_SECONDS`.
        """
        deadline = time.monotonic() + patience
        with self._ending:
            spool, uplink = self._spool, self._uplink
            if spool is None or uplink is None:
                return False
            with self._appending:
                if not self._ended:  # as it has where somebody could not wait for the rest
                    figures = {"frames": self.frames, "thinned": spool.thinned}
                    self._append(wire.RunEnd, status=status, **figures)
                    self._ended = True
            if uplink.meets(patience):  # nobody waits for a server that was never there
                uplink.drain(deadline - time.monotonic())
            uplink.close()
            self._met, self._uplink = uplink.met, None
            spool.close()
            endings.over(self)
        if left := len(spool):
            log.warning("gainstage: %s", self._reminder(left, spool.path))
        return True

    def _reminder(self, left: int, file: Path | None) -> str:
        """What to tell of messages that are left in the spool, and how they are sent."""
        run = self.identity.run
        if file is None:
            return f"{left} messages of run {run} waited in memory, and are lost."
        size = ""
        with contextlib.suppress(OSError):  # a `gainstage sync` may have taken it meanwhile
            size = f" ({file.stat().st_size / 1e6:.1f} MB)"
        return (
            f"{left} messages of run {run} wait in {self._folder}{size}. To send them "
            f"later: {sync_command(self._url or '', self._folder)}"
        )

    def interrupt(self) -> None:
        """Ends an attempt of which its training does not say so, and prints where it is."""
        if self.close("interrupted", BREAK_SECONDS) and self.identity.worker == CHIEF:
            report.print_interrupted(self.identity.run, self.frames, self.page)

    def forsake(self) -> None:
        """In the child of a fork: the attempt goes on in the parent, and only there."""
        self._renew_locks()
        uplink, self._uplink = self._uplink, None
        if uplink is not None:
            uplink.forsake()
        # SQLite would write to the parent's file if this process ever closed its copy.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._spool))

    def _begin(self, rows: tuple[wire.Row, ...], training: wire.Training) -> wire.Schema:
        trainable = np.array([[row.trainable] * len(GRADIENTS) for row in rows], bool)
        blocks = {"layers": _block(IDS, self._exists), "gradients": _block(GRADIENTS, trainable)}
        if self._units.any():
            blocks[units.UNITS] = units.described(self._units)
        schema = self._append(wire.Schema, rows=rows, blocks=blocks, training=training)
        self._schema, self._validation, self.state = schema, None, begin(schema)
        return schema

    def _next(self) -> dict[str, Any]:
        self._seq += 1
        return {
            "run": self.identity.run,
            "attempt": self.attempt,
            "worker": self.identity.worker,
            "seq": self._seq - 1,
            "time": time.time(),
        }

    def _renew_locks(self) -> None:
        self._ending = threading.Lock()
        # Messages are appended in the order of their numbers, and none behind the attempt's end:
        # the server's answer to a later one would remove it unsent.
        self._appending = threading.RLock()

    def _append(
        self,
        kind: Callable[..., Message],
        blocks: Mapping[str, wire.FloatBlock] | None = None,
        /,
        **fields: Any,
    ) -> Message:
        """Makes a message and spools it, unless the attempt has ended."""
        with self._appending:
            message = kind(**self._next(), **fields)
            if self._ended:
                return message
            source = message.source if isinstance(message, wire.Frame) else None
            if self._spool is not None and self._uplink is not None:
                body = wire.encode(message, blocks)
                self._spool.append(message.seq, body, frame=source is not None, source=source or "")
                self._uplink.notify()
            self.frames += source is not None
        return message


def _block(ids: Sequence[str], exists: Bools) -> wire.BlockSchema:
    columns = tuple(wire.Column(id, BY_ID[id].version) for id in ids)
    return wire.BlockSchema(columns, wire.packed(exists))
