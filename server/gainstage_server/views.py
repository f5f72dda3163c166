"""What the interface shows of runs, rows and findings, as plain data for JSON.

JSON knows neither NaN nor infinity: there null is absent, and text is the value.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from gainstage import wire
from gainstage.activations import TABLE
from gainstage.finding import Finding
from gainstage.outcome import Trial
from gainstage_server.history import Buckets
from gainstage_server.layout import Layout
from gainstage_server.line import Abandoned, abandoned, extents
from gainstage_server.runs import Newest, Runs
from gainstage_server.store.records import AttemptRecord, Mark, RefusedRecord, RunRecord, Stream
from gainstage_server.workers import Worker

Plain = dict[str, Any]
Number = float | str | None


def number(value: float | None) -> Number:
    """One number; None is absent."""
    if value is None or math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def numbers(values: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> list[Any]:
    """An array as nested lists, null where a value is not `present`."""
    written = values.astype(np.float64).astype(object)
    if not np.isfinite(values).all():
        written[np.isnan(values)] = "NaN"
        written[np.isposinf(values)] = "Infinity"
        written[np.isneginf(values)] = "-Infinity"
    written[~present] = None
    return written.tolist()


def plain(tree: Any) -> Any:
    """The same maps and lists, with every number as `number` writes it."""
    if isinstance(tree, dict):
        return {key: plain(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [plain(value) for value in tree]
    return number(tree) if isinstance(tree, float) else tree


def run_summary(record: RunRecord, runs: Runs, now: float) -> Plain:
    """`models.RunSummary`."""
    # Counted as they lie: a list of 10,000 runs has a million of them.
    verdicts = Counter(record.verdicts)
    del verdicts[""]
    return {
        "id": record.run,
        "project": record.project,
        "tags": record.tags,
        "status": runs.status(record, now),
        "started": record.started,
        "ended": record.ended,
        "last_seen": runs.last_seen(record, now),
        "step": record.step,
        "epoch": record.epoch,
        "frames": record.frames,
        "layers": record.layers,
        "verdicts": verdicts,
        "findings_open": len(runs.heard_findings(record.run)),
        "worst_saturation": record.worst_saturation,
        "config": plain(record.config),
        "environment": record.environment,
        "logs": plain(record.logs),
    }


def notices(raw: Iterable[bytes]) -> list[Plain]:
    """`models.NoticeModel`, one for each stored notice."""
    found = [wire.decode(data)[0] for data in raw]
    return [
        {"time": notice.time, "level": notice.level, "code": notice.code, "text": notice.text}
        for notice in found
        if isinstance(notice, wire.Notice)
    ]


def refused(record: RefusedRecord) -> Plain:
    """`models.RefusedModel`."""
    known = bool(record.run)
    return {
        "id": record.id,
        "time": record.time,
        "run": record.run if known else None,
        "attempt": record.attempt if known else None,
        "worker": record.worker if known else None,
        "seq": record.seq,
        "reason": record.reason,
        "size": record.size,
        "kept": len(record.raw),
    }


def trials(raw: Iterable[bytes]) -> list[Plain]:
    """`models.TrialModel`, one for each stored trial, the newest first."""
    found = [wire.decode(data) for data in raw]
    return [
        _trial(message, blocks[wire.OUTCOMES])
        for message, blocks in reversed(found)
        if isinstance(message, wire.TrialResult)
    ]


def _trial(message: wire.TrialResult, outcomes: wire.FloatBlock) -> Plain:
    trial = Trial(
        message.layer,
        message.contestants,
        message.seeds,
        message.steps,
        message.columns,
        outcomes,
        message.interrupted,
    )
    ranking, standings = trial.ranking, trial.standings
    return {
        "time": message.time,
        "layer": trial.layer,
        "summary": trial.summary,
        "metric": trial.metric,
        "seeds": trial.seeds,
        "steps": trial.steps,
        "interrupted": trial.interrupted,
        "contestants": [
            {
                "arm": one.arm,
                "strength": one.strength,
                "rank": ranking.index(one) if one in ranking else None,
                "standing": standings.get(one),
                "outcomes": {
                    column: plain(trial.course(one, column).tolist()) for column in trial.columns
                },
            }
            for one in trial.contestants
        ],
    }


def attempts(records: Sequence[AttemptRecord]) -> list[Plain]:
    """`models.AttemptModel`, one for each attempt at a run; `records` are all of it."""
    found: dict[Stream, Abandoned] = {}
    for worker in {record.worker for record in records}:
        found |= abandoned(extents(records, worker))
    shown: list[Plain] = []
    for record in records:
        fields = msgspec.structs.asdict(record)
        cut = found.get(Stream(fields.pop("run"), record.attempt, record.worker))
        gone = cut and {"from": cut.first, "to": cut.last, "by": cut.by}
        shown.append(fields | {"abandoned": gone})
    return shown


def worker(shown: Worker) -> Plain:
    """`models.WorkerModel`."""
    return {
        "worker": shown.newest.worker,
        "attempt": shown.newest.attempt,
        "status": shown.status,
        "last_seen": shown.last_seen,
        "step": shown.newest.last_step,
        "behind": shown.behind,
    }


def layers(record: RunRecord, newest: Newest) -> Plain:
    """`models.Layers`."""
    shown: Plain = {"run": record.run, "step": None, "time": None, "training": None, "rows": []}
    layout = newest.layout
    if layout is None:
        return shown
    schema = layout.schema
    blocks: dict[str, wire.FloatBlock] = {}
    if newest.frame:
        frame, blocks = wire.decode(newest.frame)
        if isinstance(frame, wire.Frame):
            shown |= {"step": frame.step, "time": frame.time}
    values = _row_values(layout, blocks)
    # Before the first frame of a schema the verdicts may be those of other rows.
    verdicts = record.verdicts
    if len(verdicts) != len(schema.rows):
        verdicts = ("",) * len(schema.rows)
    shown["training"] = plain(msgspec.to_builtins(schema.training))
    shown["rows"] = [
        plain(msgspec.to_builtins(row))
        | {"verdict": verdict, "headroom_db": headroom_db(row), "values": row_values}
        for row, verdict, row_values in zip(schema.rows, verdicts, values, strict=True)
    ]
    return shown


def _row_values(layout: Layout, blocks: dict[str, wire.FloatBlock]) -> list[Plain]:
    names = list(layout.places)
    absent = np.full(len(layout.rows), np.nan, np.float32), np.zeros(len(layout.rows), bool)
    columns = [layout.column(blocks, name) or absent for name in names]
    if not columns:
        return [{} for _ in layout.rows]
    values, present = (np.stack(arrays, axis=1) for arrays in zip(*columns, strict=True))
    return [dict(zip(names, row, strict=True)) for row in numbers(values, present)]


def headroom_db(row: wire.Row) -> float | None:
    """The level at which the row's activation saturates; None where it never does."""
    function = TABLE.get(row.activation or "linear")
    headroom = function.headroom if function else None
    return 20 * math.log10(headroom) if headroom else None


def finding(found: Finding, mark: Mark | None) -> Plain:
    """`models.FindingModel`."""
    shown = None if mark is None else {"state": mark.state, "time": mark.time}
    return plain(_builtins(found)) | {"mark": shown}


def _builtins(value: Any) -> Any:
    """Unlike msgspec's own, keeps NaN."""
    if isinstance(value, msgspec.Struct):
        return {name: _builtins(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: _builtins(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_builtins(item) for item in value]
    return value


def series(record: RunRecord, row: wire.Row, statistics: list[str], buckets: Buckets) -> Plain:
    """`models.Series`; the buckets hold one column for each of `statistics`."""
    steps = buckets.steps.tolist()
    return downsampled(buckets) | {
        "run": record.run,
        "row": row.id,
        "path": row.path,
        "from": steps[0] if steps else None,
        "to": steps[-1] if steps else None,
        "times": buckets.times.tolist(),
        "series": banded(statistics, buckets),
    }


def downsampled(buckets: Buckets) -> Plain:
    """`models.Downsampled`."""
    return {
        "steps": buckets.steps.tolist(),
        "frames": buckets.frames.tolist(),
        "downsampled": buckets.downsampled,
    }


BANDS = ("min", "max", "mean", "last")


def banded(names: list[str], buckets: Buckets) -> Plain:
    """Name -> `models.Bands`; the buckets hold one column for each of `names`."""
    bands = {name: numbers(getattr(buckets, name).T, buckets.present.T) for name in BANDS}
    return {
        name: {band: values[column] for band, values in bands.items()}
        for column, name in enumerate(names)
    }


def heatmap(record: RunRecord, rows: list[str], statistic: str, buckets: Buckets) -> Plain:
    """`models.Heatmap`; the buckets hold one column for each of `rows`."""
    shown = {"run": record.run, "statistic": statistic, "rows": rows}
    bands = {name: numbers(getattr(buckets, name).T, buckets.present.T) for name in BANDS}
    return downsampled(buckets) | shown | bands


def heatmap_bytes(record: RunRecord, rows: list[str], statistic: str, buckets: Buckets) -> bytes:
    """The same in the wire's framing: blocks of float32 [rows, steps], NaN where absent.

    `present` in the header tells the rows that have the statistic at all.
    """
    header = downsampled(buckets) | {
        "type": "heatmap",
        "run": record.run,
        "statistic": statistic,
        "rows": rows,
        "present": buckets.present.any(axis=0).tolist(),
    }
    bands = {name: np.where(buckets.present, getattr(buckets, name), np.nan).T for name in BANDS}
    return framed(header, bands)


def framed(fields: Plain, blocks: Mapping[str, npt.NDArray[np.float32]]) -> bytes:
    """A header of these fields and blocks, as `wire.encode` lays out a frame's."""
    places: list[Plain] = []
    body = bytearray()
    for name, block in blocks.items():
        places.append({"name": name, "shape": block.shape, "offset": len(body)})
        body += np.ascontiguousarray(block, "<f4").tobytes()
        body += bytes(-len(body) % wire.ALIGNMENT)
    header = msgspec.msgpack.encode(fields | {"blocks": places})
    start = wire.PREFIX.pack(wire.MAGIC, wire.VERSION, len(header)) + header
    return start + bytes(-len(start) % wire.ALIGNMENT) + body
