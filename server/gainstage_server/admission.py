"""What may enter: reads a trainer's message and names the first thing that is wrong with it."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from gainstage import wire
from gainstage.outcome import LOSS
from gainstage_server.layout import Layout
from gainstage_server.origin import ID, MAX_WHOLE, MAX_WORKER, origin_of
from gainstage_server.settings import Settings
from gainstage_server.store.records import AttemptRecord, Key, Stream

MAX_TIME = 2**40  # 35,000 years, which every calendar can still write
MAX_ENTRIES = 256  # of tags, blocks, logs
MAX_DEPTH = 16
MAX_OUTCOMES = 2**16  # of a trial: 16 contestants, 10 seeds, 40 steps and 10 columns
MAX_TREE = 10_000  # values in a configuration
MAX_TEXT = 16_384
MAX_REASON = 1_024  # a message may name what is wrong with it at any length

Blocks = dict[str, wire.FloatBlock]


@dataclass(frozen=True)
class Admitted:
    """A message that may be stored; a schema and a frame come with their layout."""

    message: wire.TrainerMessage
    blocks: Blocks
    layout: Layout | None
    raw: bytes

    @property
    def key(self) -> Key:
        """The message's identity."""
        message = self.message
        return Key(message.run, message.attempt, message.worker, message.seq)

    def later(self, seconds: float) -> "Admitted":
        """The same message by a clock that is ahead of its sender's; `raw` stays as it came."""
        if not seconds:
            return self
        time = max(0.0, self.message.time + seconds)
        return dataclasses.replace(self, message=msgspec.structs.replace(self.message, time=time))


class Known(Protocol):
    """Which attempts have begun, and what their schemas hold."""

    def attempt(self, stream: Stream) -> AttemptRecord | None:
        """What is known of the attempt; None: it has not begun."""
        ...

    def layout(self, key: Key) -> Layout | None:
        """The schema sent as `key`; None: there is none."""
        ...


class _AdmissionError(ValueError):
    """Why a message may not enter."""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _whole(name: str, value: int, limit: int = MAX_WHOLE) -> None:
    if not 0 <= value <= limit:
        raise _AdmissionError(f"{name} lies between 0 and {limit}. Received: {value}.")


def _few(name: str, values: Mapping[Any, Any] | Iterable[Any], limit: int) -> None:
    count = len(list(values))
    if count > limit:
        raise _AdmissionError(f"There are at most {limit} {name}. Received: {count}.")


@dataclass(frozen=True)
class _Gate:
    """What the checks of a message hold it against."""

    settings: Settings
    known: Known
    data: bytes  # all of it

    def names(self, what: str, names: Iterable[str | None]) -> None:
        limit = self.settings.name_length
        for name in names:
            if name is not None and len(name) > limit:
                raise _AdmissionError(
                    f"{what} has at most {limit} characters. Received {len(name)}: {_shown(name)}."
                )

    def tree(self, what: str, tree: object) -> None:
        """Refuse what JSON cannot carry, and what would be slow to show."""
        level, depth, seen = [tree], 0, 0
        while level:
            seen += len(level)
            if depth > MAX_DEPTH or seen > MAX_TREE:
                raise _AdmissionError(
                    f"{what} has at most {MAX_TREE} values, {MAX_DEPTH} levels deep. "
                    "Leave out what does not help to tell runs apart."
                )
            level, depth = (
                [child for value in level for child in self._children(what, value)],
                depth + 1,
            )

    def _children(self, what: str, value: object) -> Iterable[object]:
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                raise _AdmissionError(f"The keys of {what} are text. Received: {_shown(value)}.")
            self.names(f"A key of {what}", value)
            return value.values()
        if isinstance(value, list):
            return value
        if isinstance(value, str | int | float | None):
            return ()
        raise _AdmissionError(
            f"{what} holds text, numbers, truth values, lists and maps. Received: {_shown(value)}."
        )

    def begun(self, message: wire.Message) -> None:
        stream = Stream(message.run, message.attempt, message.worker)
        if self.known.attempt(stream) is None:
            raise _AdmissionError(
                "The first message of an attempt is its run_start. Received: a "
                f"{type(message).__name__} of an attempt that has not begun, {stream}. "
                "Send the run_start first."
            )


def _check_identity(message: wire.Message) -> None:
    for name, value in (("run", message.run), ("attempt", message.attempt)):
        if not ID.fullmatch(value):
            raise _AdmissionError(
                f"The id of a {name} has 1 to 128 of the characters A-Z a-z 0-9 . _ -. "
                f"Received: {_shown(value)}."
            )
    _whole("worker", message.worker, MAX_WORKER)
    _whole("seq", message.seq)
    # NaN is in no range.
    if not 0 <= message.time < MAX_TIME:
        raise _AdmissionError(
            f"The time of a message is in seconds since 1970, below {MAX_TIME}. "
            f"Received: {message.time}."
        )


def _check_run_start(gate: _Gate, message: wire.RunStart, blocks: Blocks) -> None:
    gate.names("A project's name", [message.project])
    _few("tags", message.tags, MAX_ENTRIES)
    gate.names("A tag", message.tags)
    gate.tree("The configuration", message.config)
    gate.tree("The environment", message.environment)


def _check_schema(gate: _Gate, message: wire.Schema, blocks: Blocks) -> Layout | None:
    gate.begun(message)
    rows = message.rows
    _few("rows", rows, gate.settings.rows)
    _few("blocks", message.blocks, MAX_ENTRIES)
    if len({row.id for row in rows}) < len(rows):
        raise _AdmissionError("The ids of the rows differ. Received one id twice.")
    for row in rows:
        names = (row.id, row.path, row.kind, row.activation, row.unjudged, row.dtype)
        gate.names("A row", names)
        gate.tree("A layer's arguments", row.arguments)
        if any(not 0 <= position < len(rows) for position in row.inputs):
            raise _AdmissionError(
                f"The inputs of a row are positions from 0 to {len(rows) - 1}. "
                f"Received: {_shown(row.inputs)}."
            )
    for name, block in message.blocks.items():
        gate.names("A block", [name])
        _few(f"columns in block {_shown(name)}", block.columns, wire.MAX_COLUMNS)
        gate.names("A statistic", (column.id for column in block.columns))
        if len(block.units) not in (0, len(rows)):
            raise _AdmissionError(
                f"A block of {len(rows)} rows tells the units of each, or of none. "
                f"Received: {len(block.units)}."
            )
        for count in block.units:
            _whole("A number of units", count)
    training = message.training
    gate.names(
        "A fact of the training",
        (training.backend, training.keras, training.optimizer, training.loss),
    )
    return Layout.read(gate.data)


def _check_frame(gate: _Gate, message: wire.Frame, blocks: Blocks) -> Layout:
    gate.begun(message)
    _whole("schema", message.schema)
    layout = gate.known.layout(Key(message.run, message.attempt, message.worker, message.schema))
    if layout is None:
        raise _AdmissionError(
            "A frame follows the schema that it refers to. "
            f"Received: a frame that refers to schema {message.schema}, which is unknown. "
            "Send the schema first."
        )
    _whole("step", message.step)
    _whole("epoch", message.epoch)
    _whole("frames", message.frames)
    _whole("thinned", message.thinned)
    _whole("spooled", message.spooled)
    for what, numbers in (("logs", message.logs), ("costs", message.costs)):
        _few(what, numbers, MAX_ENTRIES)
        gate.names(f"A name in the {what}", numbers)
    if len(blocks) < len(message.blocks):
        raise _AdmissionError("The blocks of a frame have different names. Received one twice.")
    for name, block in blocks.items():
        mask = layout.masks.get(name)
        if mask is None:
            raise _AdmissionError(
                f"A frame holds blocks of its schema: {', '.join(layout.masks)}. "
                f"Received: {_shown(name)}."
            )
        if block.shape != mask.shape:
            raise _AdmissionError(
                f"By its schema, block {_shown(name)} has the shape {mask.shape}. "
                f"Received: {block.shape}."
            )
    return layout


def _check_notice(gate: _Gate, message: wire.Notice, blocks: Blocks) -> None:
    gate.begun(message)
    gate.names("The code of a notice", [message.code])
    if len(message.text) > MAX_TEXT:
        raise _AdmissionError(
            f"A notice has at most {MAX_TEXT} characters. Received: {len(message.text)}."
        )


def _check_trial(gate: _Gate, message: wire.TrialResult, blocks: Blocks) -> None:
    gate.begun(message)
    gate.names("A layer", [message.layer])
    axes = {
        "contestants": message.contestants,
        "seeds": message.seeds,
        "steps": message.steps,
        "columns": message.columns,
    }
    for name, axis in axes.items():
        _few(f"{name} in a trial", axis, MAX_ENTRIES)
        if not axis or len(set(axis)) < len(axis):
            raise _AdmissionError(f"A trial has {name}, each once. Received: {_shown(axis)}.")
    gate.names("An arm", (one.arm for one in message.contestants))
    gate.names("A column", message.columns)
    for number in (*message.seeds, *message.steps):
        _whole("A seed or step", number)
    for one in message.contestants:
        if one.strength is not None and not 0 <= one.strength < math.inf:
            raise _AdmissionError(
                f"A strength is finite and not negative. Received: {one.strength}."
            )
    cells = math.prod(map(len, axes.values()))
    if cells > MAX_OUTCOMES:
        raise _AdmissionError(f"A trial has at most {MAX_OUTCOMES} outcomes. Received: {cells}.")
    if LOSS not in message.columns:
        raise _AdmissionError(
            f"The columns of a trial hold {LOSS!r}. Received: {_shown(message.columns)}."
        )
    shape = tuple(map(len, axes.values()))
    received = {name: block.shape for name, block in blocks.items()}
    if received != {wire.OUTCOMES: shape}:
        raise _AdmissionError(
            f"A trial has one block, {wire.OUTCOMES!r} of shape {shape}. "
            f"Received: {_shown(received)}."
        )


def _check_run_end(gate: _Gate, message: wire.RunEnd, blocks: Blocks) -> None:
    gate.begun(message)
    _whole("frames", message.frames)
    _whole("thinned", message.thinned)


_KNOWN_VERSION = wire.PREFIX.pack(wire.MAGIC, wire.VERSION, 0)[:4]

_CHECKS: Mapping[type[wire.Message], Callable[[_Gate, Any, Blocks], Layout | None]] = {
    wire.RunStart: _check_run_start,
    wire.Schema: _check_schema,
    wire.Frame: _check_frame,
    wire.Notice: _check_notice,
    wire.TrialResult: _check_trial,
    wire.RunEnd: _check_run_end,
}


def _refuse(reason: str, data: bytes, code: str) -> wire.Refuse:
    """A refusal that names the seq where it can be read, so that the trainer drops the message.

    One of another version has none: its trainer keeps it until the server can read it.
    """
    known = data[: len(_KNOWN_VERSION)] == _KNOWN_VERSION
    seq = origin_of(data).seq if known else None
    return wire.Refuse(reason=reason[:MAX_REASON], seq=seq, code=code)


def admit(data: bytes, settings: Settings, known: Known) -> Admitted | wire.Refuse:
    """The message in `data`, or why it may not be stored.

    The caps are those of `settings`; `known` tells which attempts and schemas there are.
    """
    limit = settings.message_bytes
    if len(data) > limit:
        reason = f"A message has at most {limit} bytes. Received: {len(data)}."
        return _refuse(reason, data, "size")
    try:
        message, blocks = wire.decode(data)
    except wire.UnknownTypeError as error:
        return _refuse(f"{error} Here that is the server.", data, "release")
    # A shape that no array can have overflows in numpy.
    except (ValueError, OverflowError) as error:
        return _refuse(str(error), data, "unreadable")
    if not isinstance(message, wire.Message):
        return _refuse(
            f"A trainer sends {', '.join(kind.__name__ for kind in _CHECKS)}. "
            f"Received: {type(message).__name__}.",
            data,
            "rule",
        )
    try:
        _check_identity(message)
        layout = _CHECKS[type(message)](_Gate(settings, known, data), message, blocks)
    except (_AdmissionError, wire.WireError) as error:
        return _refuse(str(error), data, "rule")
    return Admitted(message, blocks, layout, data)
