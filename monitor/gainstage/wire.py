"""Messages between trainer, server and viewer: what they hold, how they are written down.

A message is an 8-byte prefix, a MessagePack header and raw blocks:

    bytes 0-1   b"GS"
    bytes 2-3   version, unsigned little-endian
    bytes 4-7   length of the header, unsigned little-endian
    header      MessagePack map, "type" names the message
    padding     zeros up to a multiple of 8 from the start of the message
    blocks      little-endian float32, each padded to a multiple of 8

Numbers that come many at a time travel only in blocks, so that Python (`numpy.frombuffer`) and
the browser (`Float32Array`) map them without copying. Names travel once, in the schema.

A value that does not exist for a row (the bias of a layer without one) is absent by the schema's
mask; a block that was not sampled is absent from the frame; NaN means that the value *was* NaN.

Trainer, server and viewer may be of different releases. The one rule:

- What a reader does not know within a message it passes over: fields, and columns and blocks that
  the schema names; missing fields have their defaults. So a release may add any of these.
- A message that it does not know as a whole, by its type or by a value of one of its closed lists
  (`level`, `source`, `status`), it leaves out, and goes on. The server refuses it by its seq, says
  which side is to be updated, and keeps it apart; trainers and viewers pass over unknown types.
- What earlier readers would misread has another version. The server refuses a version that it
  does not know without a seq: the trainer keeps such messages until the server has been updated.
  A release that raises VERSION still reads all earlier ones (tests/contract), and answers a trainer
  in the trainer's own.
"""

import math
import struct
from collections.abc import Mapping
from typing import get_args

import msgspec
import numpy as np
import numpy.typing as npt

from gainstage.messages import (
    OUTCOMES,
    Ack,
    AnyMessage,
    Block,
    BlockSchema,
    Carrier,
    Column,
    FindingChanged,
    Frame,
    Message,
    Notice,
    Refuse,
    Row,
    RunDeleted,
    RunEnd,
    RunStart,
    Schema,
    ServerMessage,
    Skipped,
    Subscribed,
    Told,
    TrainerMessage,
    Training,
    TrialResult,
    ViewerMessage,
)

__all__ = [
    "ALIGNMENT",
    "MAGIC",
    "MAX_COLUMNS",
    "MAX_MESSAGE_BYTES",
    "MAX_NAME",
    "MAX_ROWS",
    "OUTCOMES",
    "PREFIX",
    "VERSION",
    "Ack",
    "AnyMessage",
    "Block",
    "BlockSchema",
    "Carrier",
    "Column",
    "FindingChanged",
    "FloatBlock",
    "Frame",
    "Message",
    "Notice",
    "Refuse",
    "Row",
    "RunDeleted",
    "RunEnd",
    "RunStart",
    "Schema",
    "ServerMessage",
    "Skipped",
    "Subscribed",
    "Told",
    "TrainerMessage",
    "Training",
    "TrialResult",
    "UnknownTypeError",
    "ViewerMessage",
    "WireError",
    "decode",
    "decode_header",
    "encode",
    "header_end",
    "mask_of",
    "packed",
    "rows_at",
]

VERSION = 1
MAGIC = b"GS"
ALIGNMENT = 8
PREFIX = struct.Struct("<2sHI")

# Larger than any honest message: 10,000 layers x 100 statistics are 4 MB.
MAX_MESSAGE_BYTES = 16 * 2**20
MAX_ROWS = 20_000
MAX_COLUMNS = 256
MAX_NAME = 1_024

FloatBlock = npt.NDArray[np.float32]


class WireError(ValueError):
    """A message that cannot be read; its text says what was expected and what came."""


class UnknownTypeError(WireError):
    """A message of a later release, of a type that this one does not know."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AnyMessage)


class _Typed(msgspec.Struct):
    type: str = ""


_typed = msgspec.msgpack.Decoder(_Typed)
_TYPES = frozenset(str(kind.__struct_config__.tag) for kind in get_args(AnyMessage))


def _padding(length: int) -> bytes:
    return bytes(-length % ALIGNMENT)


def encode(message: AnyMessage, blocks: Mapping[str, FloatBlock] | None = None) -> bytes:
    """The bytes of `message`; the `blocks` field of a carrier is filled in from `blocks`.

    Raises:
        TypeError: Blocks came with a message that carries none.
    """
    if blocks and not isinstance(message, Carrier):
        raise TypeError(
            f"Only a Frame and a TrialResult carry blocks. Received: {type(message).__name__}."
        )
    places: list[Block] = []
    body = bytearray()
    for name, array in (blocks or {}).items():
        places.append(Block(name, array.shape, len(body)))
        body += np.ascontiguousarray(array, dtype="<f4").tobytes()
        body += _padding(len(body))
    if isinstance(message, Carrier):
        message = msgspec.structs.replace(message, blocks=tuple(places))
    header = _encoder.encode(message)
    start = PREFIX.pack(MAGIC, VERSION, len(header)) + header
    return start + _padding(len(start)) + body


def decode(data: bytes) -> tuple[AnyMessage, dict[str, FloatBlock]]:
    """The message in `data` and its blocks, which are views of `data`.

    Raises:
        UnknownTypeError: A later release has sent `data`.
        WireError: `data` is not a message that this version can read.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise WireError(f"A message has at most {MAX_MESSAGE_BYTES} bytes. Received: {len(data)}.")
    message = decode_header(data)
    places = message.blocks if isinstance(message, Carrier) else ()
    end = header_end(data)
    start = end + len(_padding(end))
    return message, {place.name: _view(data, start, place) for place in places}


def header_of(data: bytes) -> memoryview:
    """The header of a message, in msgpack.

    Raises:
        WireError: `data` does not hold the header of a message that this version can read.
    """
    end = header_end(data)
    if end > len(data):
        raise WireError(f"The header ends at byte {end}, the message at byte {len(data)}.")
    return memoryview(data)[PREFIX.size : end]


def header_end(data: bytes) -> int:
    """The byte at which the header of a message ends; its prefix is enough to tell.

    Raises:
        WireError: `data` does not begin as a message that this version can read.
    """
    if len(data) < PREFIX.size:
        raise WireError(f"A message has at least {PREFIX.size} bytes. Received: {len(data)}.")
    magic, version, header_size = PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise WireError(f"A message begins with {MAGIC!r}. Received: {magic!r}.")
    if version != VERSION:
        raise WireError(
            f"This reads messages of version {VERSION}. Received version {version}: "
            "bring trainer and server to the same release of gainstage."
        )
    return PREFIX.size + header_size


def rows_at(header: bytes, block: Block, first: int, end: int) -> range:
    """The bytes of a message in which some rows of a block stand.

    Args:
        header: The message as far as its header ends, or further.
        block: One of its blocks, whose shape is [rows, columns].
        first: The first of the rows.
        end: The row behind the last.
    """
    start = header_end(header)
    row = 4 * math.prod(block.shape[1:])
    start += len(_padding(start)) + block.offset
    return range(start + first * row, start + end * row)


def decode_header(data: bytes) -> AnyMessage:
    """The message in `data`, whose blocks may be missing.

    Raises:
        UnknownTypeError: A later release has sent `data`.
        WireError: `data` does not hold the header of a message that this version can read.
    """
    encoded = header_of(data)
    try:
        return _decoder.decode(encoded)
    except msgspec.ValidationError as error:
        raise _problem(encoded, error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"The header cannot be read: {error}") from error


def _problem(header: memoryview, error: msgspec.ValidationError) -> WireError:
    """What is wrong with a header that is MessagePack, but no message of this release."""
    try:
        kind = _typed.decode(header).type
    except (msgspec.DecodeError, UnicodeDecodeError):
        kind = ""
    if not kind or kind in _TYPES:
        return WireError(f"The header cannot be read: {error}")
    return UnknownTypeError(
        f"This release of gainstage reads messages of the types {', '.join(sorted(_TYPES))}. "
        f"Received: {kind[:MAX_NAME]!r}, of a later one. Update the side that reads it."
    )


def _view(data: bytes, start: int, place: Block) -> FloatBlock:
    if place.offset < 0 or place.offset % ALIGNMENT or any(size < 0 for size in place.shape):
        raise WireError(f"Block {place.name!r} lies at an impossible place: {place}.")
    count = math.prod(place.shape)
    begin = start + place.offset
    if begin + 4 * count > len(data):
        raise WireError(
            f"Block {place.name!r} ends at byte {begin + 4 * count}, the message at {len(data)}."
        )
    try:
        return np.frombuffer(data, "<f4", count, begin).reshape(place.shape)
    except (ValueError, OverflowError) as error:  # more axes, or longer ones, than an array has
        raise WireError(f"Block {place.name!r} has an impossible shape: {error}.") from error


def packed(exists: npt.NDArray[np.bool_]) -> bytes:
    """The mask of a block, from [rows, columns], True where a value exists."""
    return np.packbits(exists.ravel(), bitorder="little").tobytes()


def mask_of(schema: BlockSchema, rows: int) -> npt.NDArray[np.bool_]:
    """[rows, columns], True where a value exists.

    Raises:
        WireError: The mask does not hold that many bits.
    """
    columns = len(schema.columns)
    expected = -(-rows * columns // 8)
    if len(schema.mask) != expected:
        raise WireError(
            f"A mask of {rows} rows and {columns} columns has {expected} bytes. "
            f"Received: {len(schema.mask)}."
        )
    bits = np.unpackbits(
        np.frombuffer(schema.mask, np.uint8), count=rows * columns, bitorder="little"
    )
    return bits.reshape(rows, columns).astype(bool)
