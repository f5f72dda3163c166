"""Messages between trainer, server and viewer: what they hold.

`gainstage.wire` says how they are written down, and what may be added to them.
"""

from typing import Any, Literal

import msgspec

from gainstage.finding import Finding
from gainstage.outcome import Contestant


class Block(msgspec.Struct, frozen=True):
    """Where an array of float32 lies: `offset` in bytes from the start of the first block."""

    name: str
    shape: tuple[int, ...]
    offset: int


class Column(msgspec.Struct, frozen=True):
    """A statistic, or a unit, as a block's column: its id and the version of its definition."""

    id: str
    version: int


class BlockSchema(msgspec.Struct, frozen=True):
    """What a block's columns mean, and which of its values exist.

    `mask` holds one bit for each row and column, row by row, lowest bit first
    (`numpy.packbits(..., bitorder="little")`); 1 where the value exists.
    """

    columns: tuple[Column, ...]
    mask: bytes
    units: tuple[int, ...] = ()  # of a unit map (`gainstage.units`): how many each row has


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One call of one layer, in order of data flow.

    `id` identifies the row through renaming and rebuilding; `path` is its label.
    """

    id: str
    path: str
    kind: str
    call: int = 0
    inputs: tuple[int, ...] = ()  # positions of the rows that feed this one
    output_shape: tuple[int | None, ...] = ()  # without the batch axis
    kernel_shape: tuple[int, ...] = ()
    parameters: int = 0
    trainable: bool = True
    fan_in: float | None = None  # values that one pre-activation sums, padding not counted
    activation: str | None = None  # the function its pre-activation enters
    fused: bool = False  # the activation is an argument of this layer, not a layer of its own
    unjudged: str = ""  # why its range is not judged; empty where it is
    arguments: dict[str, Any] = {}  # constructor arguments that differ from their defaults
    state_fan_in: float | None = None  # of a gate: values that its recurrent kernel sums
    dtype: str = "float32"  # in which the layer computes


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """What a prescription needs to know about how the model is trained."""

    backend: str
    keras: str
    optimizer: str = ""
    learning_rate: float | None = None
    momentum: float = 0.0
    weight_decay: float = 0.0  # that the optimizer takes off beside the loss, times the rate
    loss: str = ""
    batch_size: int | None = None
    # Whether this version of Keras divides an activity penalty by the batch size.
    penalty_per_example: bool = True


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every message of a trainer carries: `(run, attempt, worker, seq)` is its identity."""

    run: str
    attempt: str
    worker: int = 0
    seq: int
    time: float  # Unix time in seconds, by the trainer's clock


class RunStart(Message, tag="run_start", frozen=True, kw_only=True):
    """The first message of an attempt."""

    project: str
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = {}
    environment: dict[str, str] = {}


class Schema(Message, tag="schema", frozen=True, kw_only=True):
    """Names of what the following frames hold; a frame refers to it by its `seq`."""

    rows: tuple[Row, ...]
    blocks: dict[str, BlockSchema]
    training: Training


class Frame(Message, tag="frame", frozen=True, kw_only=True):
    """The statistics of one sampled step; the numbers are in the blocks.

    `step` counts the optimizer's updates made before the sample was taken.
    """

    schema: int
    step: int
    epoch: int = 0
    source: Literal["probe", "validation"] = "probe"
    logs: dict[str, float] = {}
    costs: dict[str, float] = {}  # of samples: `Cadence.costs`
    frames: int = 0  # sampled in this attempt before this one, thinned ones included
    thinned: int = 0  # dropped by then because the spool was full
    spooled: int = 0  # bytes that waited in the spool before this one
    blocks: tuple[Block, ...] = ()


class Notice(Message, tag="notice", frozen=True, kw_only=True):
    """Something that the person training should know, such as an error of the monitor's own."""

    level: Literal["info", "warning", "error"]
    code: str
    text: str


class TrialResult(Message, tag="trial", frozen=True, kw_only=True):
    """Remedies for one layer side by side, `outcome.Trial`.

    The block "outcomes" is [contestants, seeds, steps, columns].
    """

    layer: str
    contestants: tuple[Contestant, ...]
    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    columns: tuple[str, ...]
    interrupted: bool = False
    blocks: tuple[Block, ...] = ()


class RunEnd(Message, tag="run_end", frozen=True, kw_only=True):
    """The last message of an attempt."""

    status: Literal["completed", "interrupted"]
    frames: int  # sampled in this attempt, thinned ones included
    thinned: int = 0  # dropped because the spool was full


class Ack(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="ack"):
    """Everything of this attempt and worker up to `seq` is committed."""

    run: str
    attempt: str
    worker: int = 0
    seq: int


class Refuse(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="refuse"):
    """A message that was not stored. `seq` names it where it could be read.

    The trainer drops the message of that `seq`; without a `seq` the connection is of no use.
    """

    reason: str
    seq: int | None = None
    code: str = ""  # of what kind the reason is, in a word


class FindingChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="finding"):
    """To viewers: a finding opened, changed or closed, or a person marked it.

    What mark it has, the HTTP interface says.
    """

    run: str
    finding: Finding


class RunDeleted(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="run_deleted"):
    """To viewers: a person has deleted the run, and nothing of it is stored any more."""

    run: str


TrainerMessage = RunStart | Schema | Frame | Notice | TrialResult | RunEnd
ServerMessage = Ack | Refuse


class Subscribed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="subscribed"):
    """To a viewer: what comes from here on is told; what was before, the HTTP interface has."""

    id: int  # of the subscription that this answers


class Skipped(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="skipped"):
    """To a viewer: it read too slowly, and was not sent so many frames that came before this."""

    run: str
    frames: int


Told = FindingChanged | RunDeleted
ViewerMessage = TrainerMessage | Told | Subscribed | Skipped
AnyMessage = ServerMessage | ViewerMessage

# Those that have blocks.
Carrier = Frame | TrialResult
OUTCOMES = "outcomes"
