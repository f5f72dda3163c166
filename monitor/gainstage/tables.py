"""An archived run as a table: a line for each layer of each sample, a column for each statistic."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from gainstage import wire
from gainstage.archive import Archive
from gainstage.units import UNIT_MAPS

Arrow = Any  # PyArrow has no types

# Lines of one group of a Parquet file: a reader takes in so many at a time.
GROUP_ROWS = 2**16
LOGGED = "log."

_PLACE = (
    ("attempt", pa.string()),
    ("worker", pa.int32()),
    ("source", pa.string()),
    ("step", pa.int64()),
    ("epoch", pa.int64()),
    ("time", pa.float64()),
    ("layer", pa.string()),
    ("row", pa.string()),
)


def write(archive: Archive, path: Path, suffix: str) -> int:
    """Writes the run of `archive` to `path`, as `suffix` says; returns the number of lines.

    `step`, `epoch` and `time` (Unix seconds) are the sample's; `layer` is Keras's path, and `row`
    the layer's identity, which stays the same where a path is renamed. What was logged stands in
    `log.NAME`, the same on each line of a sample. A value that was not sampled, or that a layer
    does not have, is missing (null, empty); NaN means that it was NaN. Maps of units are left out.
    """
    schema = _schema(archive)
    lines = 0
    with _writer(path, suffix, schema) as writer:
        for group in _groups(archive, schema):
            writer.write_table(group)
            lines += len(group)
    return lines


def _writer(path: Path, suffix: str, schema: Arrow) -> Arrow:
    if suffix == ".csv":
        return csv.CSVWriter(path, schema)
    return parquet.ParquetWriter(path, schema, compression="zstd")


def _schema(archive: Archive) -> Arrow:
    """The columns of all samples, in the order in which they appear."""
    logged: dict[str, None] = {}
    statistics: dict[str, None] = {}
    for message, *_ in archive.entries:
        if isinstance(message, wire.Frame):
            logged |= dict.fromkeys(message.logs)
        elif isinstance(message, wire.Schema):
            for name, block in message.blocks.items():
                if name not in UNIT_MAPS:
                    statistics |= dict.fromkeys(column.id for column in block.columns)
    return pa.schema(
        [
            *_PLACE,
            *((LOGGED + name, pa.float64()) for name in logged),
            *((name, pa.float32()) for name in statistics),
        ]
    )


def _groups(archive: Archive, schema: Arrow) -> Iterator[Arrow]:
    waiting: list[Arrow] = []
    for batch in _batches(archive, schema):
        waiting.append(batch)
        if sum(map(len, waiting)) >= GROUP_ROWS:
            yield pa.Table.from_batches(waiting)
            waiting.clear()
    if waiting:
        yield pa.Table.from_batches(waiting)


def _batches(archive: Archive, schema: Arrow) -> Iterator[Arrow]:
    """One a frame."""
    known: dict[tuple[str, int, int], _Rows] = {}
    for entry in archive.entries:
        message = entry.message
        stream = message.attempt, message.worker
        if isinstance(message, wire.Schema):
            known[*stream, message.seq] = _Rows(message)
        elif isinstance(message, wire.Frame):
            _, blocks = wire.decode(archive.read(entry))
            columns = known[*stream, message.schema].columns(message, blocks)
            count = known[*stream, message.schema].count
            yield pa.RecordBatch.from_arrays(
                [
                    columns[field.name] if field.name in columns else pa.nulls(count, field.type)
                    for field in schema
                ],
                schema=schema,
            )


class _Rows:
    """What the frames of one schema have in common."""

    def __init__(self, schema: wire.Schema) -> None:
        self.count = len(schema.rows)
        self._named = {
            "layer": pa.array([row.path for row in schema.rows], pa.string()),
            "row": pa.array([row.id for row in schema.rows], pa.string()),
        }
        self._missing = {
            name: ~wire.mask_of(block, self.count)
            for name, block in schema.blocks.items()
            if name not in UNIT_MAPS
        }
        self._columns = {name: schema.blocks[name].columns for name in self._missing}

    def columns(self, frame: wire.Frame, blocks: dict[str, wire.FloatBlock]) -> dict[str, Arrow]:
        """Name of a column -> its values in `frame`, [rows] each."""
        types = dict(_PLACE)
        columns = {
            name: pa.repeat(pa.scalar(getattr(frame, name), types[name]), self.count)
            for name in types
            if name not in self._named
        }
        for name, value in frame.logs.items():
            columns[LOGGED + name] = pa.repeat(pa.scalar(value, pa.float64()), self.count)
        for name, missing in self._missing.items():
            if name in blocks:
                values = np.asfortranarray(blocks[name])
                for place, column in enumerate(self._columns[name]):
                    columns[column.id] = pa.array(values[:, place], mask=missing[:, place])
        return columns | self._named
