"""Arrays in, numbers out: the statistics of all rows from what the probe read of each.

Arrays are float32. Most are [positions, units]: examples and positions of a batch drawn by the
probe, with the unit axis whole. Reductions run over all rows at once, arrays of equal shape
together; what follows from them is computed for whole columns.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gainstage import wire
from gainstage.activations import TABLE
from gainstage.presence import presence
from gainstage.readings import Part, Parts, Reading, parts_of
from gainstage.reductions import (
    FORMATS,
    attention,
    beyond_format,
    largest_eigenvalues,
    quantiles,
    unit_levels,
)
from gainstage.statistics import AMPLITUDES, IDS, INDEX, QUANTILE_IDS
from gainstage.summaries import (
    MAX,
    NONFINITE,
    RMS,
    SIZE,
    Array,
    Bools,
    Places,
    Wide,
    is_hard,
    once,
    stack,
    stacked,
    summarise,
)
from gainstage.units import UnitMap
from gainstage.windows import Activity, Movement, Saturation

_SUMMARISED = ("x", "z", "y", "bias", "kernel", "state", "recurrent_kernel", "moving")
# Of which of them all four summaries are statistics, and how those begin.
_TITLES = {"x": "input", "z": "pre", "y": "output", "bias": "bias", "kernel": "kernel"}


class _Columns:
    """All statistics; `columns[id]` is [rows], NaN where nothing was put."""

    def __init__(self, rows: int) -> None:
        self._table: Wide = np.full((len(IDS), rows), np.nan)

    def __getitem__(self, id: str) -> Wide:
        return self._table[INDEX[id]]

    def __setitem__(self, id: str, values: Wide) -> None:
        self._table[INDEX[id]] = values

    def put(self, rows: Places, **values: Any) -> None:
        """Writes statistics of some rows, each [rows]."""
        for id, column in values.items():
            self._table[INDEX[id], rows] = column

    def put_from(self, first: str, rows: Places, table: Any) -> None:
        """Writes [rows, statistics], those that follow each other from `first` on."""
        start = INDEX[first]
        self._table[start : start + table.shape[1], rows] = table.T

    def add_levels(self) -> None:
        """Writes what is a statistic's decibels."""
        amplitudes = self._table[[INDEX[id] for id in AMPLITUDES.values()]]
        self._table[[INDEX[id] for id in AMPLITUDES]] = 20 * np.log10(amplitudes)

    def where(self, exists: Bools) -> Array:
        """[rows, statistics], 0 where a value does not exist."""
        return np.where(exists, self._table.T, 0).astype(np.float32)


class Meters:
    """Measures the rows of a schema, sample by sample; remembers what needs a window of samples.

    Attributes:
        samples: Measured so far.
    """

    def __init__(self, rows: Sequence[wire.Row]) -> None:
        functions = [TABLE.get(row.activation or "linear") for row in rows]
        edges = [(f.low, f.high) if f else (None, None) for f in functions]
        formats = [FORMATS.get(row.dtype, (None, None)) for row in rows]
        # None becomes NaN, which no value is below or above.
        self._edges: Array = np.array(edges, np.float32).reshape(-1, 2)
        self._formats: Array = np.array(formats, np.float32).reshape(-1, 2)
        self._fan_in: Wide = np.array([row.fan_in for row in rows], np.float64)
        self._state_fan_in: Wide = np.array([row.state_fan_in for row in rows], np.float64)
        # z is a product with one position of x alone (a dense layer, a 1x1 convolution), rather
        # than a sum over a patch.
        # The scale of a normalisation is a kernel of fewer axes: it sums nothing.
        shapes = [row.kernel_shape for row in rows]
        pointwise = [len(shape) > 1 and math.prod(shape[:-2]) == 1 for shape in shapes]
        self._pointwise: Bools = np.array(pointwise, bool)
        self._recurrent: Bools = ~np.isnan(self._state_fan_in)
        self._saturates: Bools = np.any(~np.isnan(self._edges), axis=1)
        rectifies = [f is not None and f.rectifies for f in functions]
        self._rectifies: Bools = np.array(rectifies, bool)
        self._narrow: Bools = np.all(~np.isnan(self._formats), axis=1)
        self._saturation = Saturation()
        self._activity = Activity()
        self._movement = Movement()
        self.samples = 0
        # What the last sample's rows had, and what followed; it hardly ever changes.
        self._key: tuple[bytes, ...] | None = None
        self._has: dict[str, Bools] = {}
        self._exists: Bools = np.zeros((0, 0), bool)

    def measure(
        self, readings: Sequence[Reading], step: int, unit_map: UnitMap | None = None
    ) -> tuple[Array, Bools]:
        """Values and which of them exist, each [rows, statistics] in the order of `IDS`.

        Args:
            readings: One for each row.
            step: The optimizer's, by which the update ratio is divided.
            unit_map: Filled in where one is given.
        """
        parts = parts_of(readings)
        key = tuple(part.rows.tobytes() for part in parts.values())
        if key != self._key:
            self._key, self._has = key, self._what_rows_have(parts)
            self._exists = presence(self._has)
        columns = _Columns(len(readings))
        # NaN and infinity are measured like any other value; where numpy's warnings are errors,
        # the sample that shows them must not be lost to one.
        with np.errstate(all="ignore"):
            sizes = _sizes(parts)
            _put_sizes(columns, parts, sizes)
            rows, weights = parts["moving"]
            ratio = self._movement.measure(rows, weights, sizes["moving"][:, RMS], step)
            columns.put(rows, update_ratio=ratio)
            self._put_signals(columns, parts, sizes["z"][:, MAX], unit_map)
            self._put_activity(columns, parts["post"].where(self._has["z"]), unit_map)
            _put_attention(columns, parts["logits"])
            if self._narrow.any():
                self._put_format(columns, parts)
            self._decompose(columns)
            inputs = parts["x"].where(self._has["decomposed"] & self._pointwise)
            columns.put(inputs.rows, input_eigenvalue=_eigenvalues(inputs.values))
            columns.add_levels()
            self.samples += 1
            return columns.where(self._exists), self._exists.copy()

    def _what_rows_have(self, parts: Parts) -> dict[str, Bools]:
        """What a statistic may need -> [rows], True where a row has it."""
        has = {name: np.zeros(len(self._fan_in), bool) for name in parts}
        for name, part in parts.items():
            has[name][part.rows] = True
        enters = ~np.isnan(self._fan_in) & has["x"] & has["z"] & has["kernel"]
        recurs = has["state"] & has["recurrent_kernel"]
        return has | {
            "inputs": has["x"] | has["nonfinite_inputs"],
            "outputs": has["z"] | has["y"],
            "saturates": self._saturates,
            "format": self._narrow,
            "recurrent": self._recurrent,
            "decomposed": enters & (recurs | ~self._recurrent),
        }

    def units(self, readings: Sequence[Reading]) -> Places:
        """[rows], how many units of each row a unit map shows; 0 where the row has none."""
        found = np.zeros(len(readings), np.intp)
        mapped = self._saturates | self._rectifies
        for row in np.flatnonzero(mapped).tolist():
            z, post = readings[row].z, readings[row].post
            if z is not None and (self._saturates[row] or post is not None):
                found[row] = z.shape[1]
        return found

    def _put_signals(
        self, columns: _Columns, parts: Parts, largest: Wide, unit_map: UnitMap | None
    ) -> None:
        """What is read off pre-activations; levels are amplitudes until `_decompose`."""
        all_rows, signals = parts["z"]
        bias_of = dict(zip(parts["bias"].rows.tolist(), parts["bias"].values, strict=True))
        for places, z in stacked(signals):
            rows = all_rows[places]
            none = np.zeros(z.shape[2], np.float32)
            bias = stack([bias_of.get(row, none) for row in rows.tolist()])
            common, aligned = unit_levels(z, bias)
            columns.put(rows, common_mode=common, aligned=aligned)
            columns.put_from(QUANTILE_IDS[0], rows, quantiles(z))
            if self._saturates[rows].any():
                edges = self._edges[rows]
                rate, pinned, counts = self._saturation.measure(rows, z, edges, self.samples)
                columns.put(rows, saturation_rate=rate, saturated_units=pinned)
                if unit_map is not None:
                    own = self._saturates[rows]
                    unit_map.add(rows[own], counts[own], z.shape[1])
        for place in np.flatnonzero(is_hard(largest)):
            row = all_rows[[place]]
            z, bias = signals[place].astype(np.float64), bias_of.get(row.item(), np.zeros(1))
            common, aligned = unit_levels(z[None], bias[None])
            columns.put(row, common_mode=common, aligned=aligned)

    def _put_activity(self, columns: _Columns, part: Part, unit_map: UnitMap | None) -> None:
        for places, post in stacked(part.values):
            rows = part.rows[places]
            zeros, dead, counts = self._activity.measure(rows, post)
            columns.put(rows, zero_rate=zeros, dead_units=dead)
            if unit_map is not None:
                own = self._rectifies[rows]
                unit_map.add(rows[own], counts[own], post.shape[1])

    def _put_format(self, columns: _Columns, parts: Parts) -> None:
        below, above, size = np.zeros((3, len(self._narrow)))
        for name in ("z", "y"):
            part = parts[name].where(self._narrow)
            for places, values in stacked(part.values):
                rows = part.rows[places]
                few, many = beyond_format(values, self._formats[rows])
                below[rows] += few
                above[rows] += many
                size[rows] += values[0].size
        columns["underflow_rate"], columns["overflow_rate"] = below / size, above / size

    def _decompose(self, columns: _Columns) -> None:
        """Gains, and by what factor z without its bias differs from what they alone explain."""
        columns["kernel_gain"] = np.sqrt(self._fan_in) * columns["kernel_rms"]
        columns["recurrent_gain"] *= np.sqrt(self._state_fan_in)
        entering = columns["input_rms"] * columns["kernel_gain"]
        returning = columns["state_rms"] * columns["recurrent_gain"]
        powers = np.square(entering) + np.where(self._recurrent, np.square(returning), 0)
        explained = np.sqrt(powers)
        # Silent inputs or kernels make it 0/0, which is NaN: the coherence of nothing.
        explained[explained == 0] = np.nan
        columns["common_mode"] /= explained
        columns["aligned"] /= explained
        columns["coherence"] = np.hypot(columns["common_mode"], columns["aligned"])
        # A convolution sums patches; their energy bounds their loudest direction.
        columns["input_eigenvalue"] = self._fan_in * np.square(columns["input_rms"])


def _sizes(parts: Parts) -> dict[str, Wide]:
    """The summaries of each part's arrays, [arrays of the part, columns of `summarise`]."""
    table = summarise([array for name in _SUMMARISED for array in parts[name].values])
    sizes: dict[str, Wide] = {}
    for name in _SUMMARISED:
        sizes[name], table = np.split(table, [len(parts[name].values)])
    return sizes


def _put_sizes(columns: _Columns, parts: Parts, sizes: Mapping[str, Wide]) -> None:
    """Sizes of arrays, shares of non-finite values, and what the probe has measured itself."""
    for name, title in _TITLES.items():
        columns.put_from(f"{title}_rms", parts[name].rows, sizes[name][:, RMS : MAX + 1])
    columns.put(parts["state"].rows, state_rms=sizes["state"][:, RMS])
    # Times the root of its fan-in, in `_decompose`.
    columns.put(parts["recurrent_kernel"].rows, recurrent_gain=sizes["recurrent_kernel"][:, RMS])
    for names, id in ((("x",), "input_nonfinite_rate"), (("z", "y"), "nonfinite_rate")):
        bad, count = np.zeros((2, len(columns[id])))
        for name in names:
            bad[parts[name].rows] += sizes[name][:, NONFINITE]
            count[parts[name].rows] += sizes[name][:, SIZE]
        columns[id] = bad / count
    rows, values = parts["nonfinite_weights"]
    columns.put(rows, weight_nonfinite_rate=values)
    rows, values = parts["nonfinite_inputs"]
    columns.put(rows, input_nonfinite_rate=values)


def _put_attention(columns: _Columns, part: Part) -> None:
    for places, logits in stacked(part.values):
        reach, entropy = attention(logits)
        columns.put(part.rows[places], logit_range=reach, score_entropy=entropy)


def _eigenvalues(inputs: list[Array]) -> Wide:
    unique, slots = once(inputs)
    values = np.full(len(unique), np.nan)
    for places, x in stacked(unique):
        values[places] = largest_eigenvalues(x)
    return values[slots]
