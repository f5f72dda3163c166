"""From samples to frames: measures, spools and diagnoses one attempt of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gainstage import endings, units, wire
from gainstage.diagnosis import Finding, State, advance, begin
from gainstage.figures import RunFigures, frame_figures
from gainstage.frame import Table
from gainstage.measures import Meters
from gainstage.outbox import Outbox, RunIdentity
from gainstage.outcome import Trial
from gainstage.sample import Sample
from gainstage.statistics import BY_ID, GRADIENTS, IDS
from gainstage.summaries import Bools, Places

# How long the end of an attempt waits for its messages to be stored; the rest stays in the spool.
DRAIN_SECONDS = 5.0


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
        self.newest: Table | None = None
        self.state: State | None = None
        self._last_frame = 0.0
        self._costs: Mapping[str, float] = {}
        self._schema: wire.Schema | None = None
        self._meters = Meters(())
        self._validation: Meters | None = None
        self._exists: Bools = np.zeros((0, 0), bool)
        self._units: Places = np.zeros(0, np.intp)
        self._outbox = Outbox(identity, url=url, token=token, folder=folder)
        endings.forget(self, self._outbox)
        self._outbox.append(
            wire.RunStart,
            project=identity.project,
            tags=identity.tags,
            config=dict(identity.config),
            environment=dict(environment),
        )

    @property
    def page(self) -> str | None:
        """Address of the run's page; None where no server ever answered."""
        return self._outbox.page

    @property
    def frames(self) -> int:
        """Frames of this attempt."""
        return self._outbox.frames

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
        counts = self._outbox.counts()
        spooled = self._outbox.spooled
        return self._outbox.append(
            wire.Frame, blocks, schema=schema.seq, spooled=spooled, **counts, **fields
        )

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
            thinned=self._outbox.counts()["thinned"],
            spooled=self._outbox.spooled,
            findings=[finding for finding in state.findings if finding.open],
        )

    def notice(self, level: Literal["info", "warning", "error"], code: str, text: str) -> None:
        """Tells whoever looks at the run."""
        self._outbox.append(wire.Notice, level=level, code=code, text=text)

    def trial(self, trial: Trial) -> None:
        """Adds what came out of a trial."""
        self._outbox.append(
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
        return self._outbox.close(status, patience)

    def interrupt(self) -> None:
        """Ends an attempt of which its training does not say so, and prints where it is."""
        endings.interrupt([self._outbox])

    def _begin(self, rows: tuple[wire.Row, ...], training: wire.Training) -> wire.Schema:
        trainable = np.array([[row.trainable] * len(GRADIENTS) for row in rows], bool)
        blocks = {"layers": _block(IDS, self._exists), "gradients": _block(GRADIENTS, trainable)}
        if self._units.any():
            blocks[units.UNITS] = units.described(self._units)
        schema = self._outbox.append(wire.Schema, rows=rows, blocks=blocks, training=training)
        self._schema, self._validation, self.state = schema, None, begin(schema)
        return schema


def _block(ids: Sequence[str], exists: Bools) -> wire.BlockSchema:
    columns = tuple(wire.Column(id, BY_ID[id].version) for id in ids)
    return wire.BlockSchema(columns, wire.packed(exists))
