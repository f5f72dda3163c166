"""A schema made ready for looking things up: which column of which block, which rows exist."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from gainstage import wire
from gainstage.activations import headroom_db
from gainstage.units import UNIT_MAPS, UNITS
from gainstage_server.recent import Recent

_MODELS = 64

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Layout:
    """Where the values of the frames of one schema lie."""

    schema: wire.Schema
    masks: Mapping[str, Mask]  # [rows, columns] of each block
    places: Mapping[str, tuple[str, int]]  # statistic -> block and column; units are none
    rows: Mapping[str, int]  # row id -> position

    @classmethod
    def of(cls, schema: wire.Schema) -> "Layout":
        """Read `schema`.

        Raises:
            wire.WireError: A mask does not fit its block.
        """
        return cls(
            schema=schema,
            masks={
                name: wire.mask_of(block, len(schema.rows)) for name, block in schema.blocks.items()
            },
            places={
                column.id: (name, position)
                # The first block that has a statistic is where it is read.
                for name, block in reversed(schema.blocks.items())
                if name not in UNIT_MAPS
                for position, column in enumerate(block.columns)
            },
            rows={row.id: position for position, row in enumerate(schema.rows)},
        )

    @classmethod
    def read(cls, raw: bytes | None) -> "Layout | None":
        """That of a schema as it came; None: there is none.

        What is made of rows and blocks is shared by all schemas that tell the same: those of a
        sweep do, and the one of a run is read time and again.

        Raises:
            wire.WireError: `raw` cannot be read, or a mask does not fit its block.
        """
        if raw is None:
            return None
        told, model = _bulk(raw)
        known = _models.get(model)
        if told is None or known is None:
            schema, _ = wire.decode(raw)
            if not isinstance(schema, wire.Schema):
                return None
            known = cls.of(schema)
            _models.put(model, known)
            return known
        own = msgspec.structs.asdict(told)
        own |= {"rows": known.schema.rows, "blocks": known.schema.blocks}
        return replace(known, schema=wire.Schema(**own))

    def column(
        self, blocks: Mapping[str, wire.FloatBlock], statistic: str
    ) -> tuple[wire.FloatBlock, Mask] | None:
        """A statistic's value of every row, and which of them exist; None: not sampled."""
        place = self.places.get(statistic)
        if place is None or place[0] not in blocks:
            return None
        block, position = place
        return blocks[block][:, position], self.masks[block][:, position]

    def values(
        self, blocks: Mapping[str, wire.FloatBlock], statistic: str
    ) -> npt.NDArray[np.float32]:
        """[rows]: a statistic's value of every row, NaN where it does not exist."""
        column = self.column(blocks, statistic)
        if column is None:
            return np.full(len(self.rows), np.nan, np.float32)
        values = column[0].copy()
        values[self._absent[statistic]] = np.nan
        return values

    @cached_property
    def _absent(self) -> Mapping[str, Places]:
        """Statistic -> the rows without it."""
        return {
            id: np.flatnonzero(~self.masks[block][:, position])
            for id, (block, position) in self.places.items()
        }

    @cached_property
    def headroom_db(self) -> npt.NDArray[np.float64]:
        """[rows]: level at which the row's activation saturates; NaN where it does not."""
        return np.array([headroom_db(row.activation) for row in self.schema.rows], np.float64)

    def units(self, position: int) -> int:
        """How many units the map of a row shows; 0 where it has none."""
        told = self.schema.blocks[UNITS].units if UNITS in self.masks else ()
        return told[position] if told else len(self.unit_columns(position))

    def unit_columns(self, position: int) -> Places:
        """The columns that a row has in the unit map."""
        if UNITS not in self.masks:
            return np.zeros(0, np.intp)
        return np.flatnonzero(self.masks[UNITS][position])

    def position(self, layer: str) -> int | None:
        """The row whose id or path is `layer`; of several calls of one layer, the first."""
        if layer in self.rows:
            return self.rows[layer]
        return next(
            (index for index, row in enumerate(self.schema.rows) if row.path == layer), None
        )


class _Told(wire.Message, tag="schema", frozen=True, kw_only=True):
    """A `wire.Schema` whose bulk is left as it came."""

    rows: msgspec.Raw
    blocks: msgspec.Raw
    training: wire.Training


_told = msgspec.msgpack.Decoder(_Told)
# One of each model, by a digest of its rows and blocks.
_models: Recent[bytes, Layout] = Recent(_MODELS)


def _bulk(raw: bytes) -> tuple[_Told | None, bytes]:
    """A schema whose bulk is left as it came, and a digest of that; None: it is none."""
    try:
        told = _told.decode(wire.header_of(raw))
    except msgspec.MsgspecError:
        return None, b""
    digest = hashlib.blake2b(told.rows)
    digest.update(told.blocks)
    return told, digest.digest()
