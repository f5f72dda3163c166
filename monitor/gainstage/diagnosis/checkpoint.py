"""The state of the diagnosis as bytes, from which another process continues."""

import msgspec
import numpy as np
import numpy.typing as npt

from gainstage import wire
from gainstage.diagnosis.rules import RULES_VERSION
from gainstage.diagnosis.state import Spell, State, stand
from gainstage.diagnosis.view import Layout
from gainstage.finding import Finding

# Of what `dump_state` writes; the first did not tell it.
FORMAT = 2


class _Version(msgspec.Struct, frozen=True):
    rules_version: int
    format: int = 1


class _Spell(msgspec.Struct, frozen=True, array_like=True):
    """A spell, of the rows that are in it."""

    rows: list[int]
    held: list[int]
    onset: list[int]


class _Checkpoint(_Version, frozen=True, kw_only=True):
    samples: int
    first_step: int
    step: int
    slower: dict[str, bytes]  # little-endian float32, as the blocks are sent
    path: bytes  # little-endian float64, and so is `asked`
    first_loss: float
    asked: bytes
    peak_rate: float
    paced: int
    spells: dict[str, _Spell]
    cleared: dict[int, int]
    opened: dict[int, Finding]
    closed: tuple[Finding, ...]


def dump_state(state: State) -> bytes:
    """`state` as bytes, without the schema."""
    return msgspec.msgpack.encode(
        _Checkpoint(
            rules_version=RULES_VERSION,
            format=FORMAT,
            samples=state.samples,
            first_step=state.first_step,
            step=state.step,
            slower={name: _bytes(block, "<f4") for name, block in state.slower.items()},
            path=_bytes(state.path, "<f8"),
            first_loss=state.first_loss,
            asked=_bytes(state.asked, "<f8"),
            peak_rate=state.peak_rate,
            paced=state.paced,
            spells={verdict: _packed(spell) for verdict, spell in state.spells.items()},
            cleared=dict(state.cleared),
            opened=dict(state.opened),
            closed=state.closed,
        )
    )


def load_state(data: bytes, schema: wire.Schema, like: State | None = None) -> State:
    """The state that `dump_state` wrote, of a stream with that schema; `like` is as in `begin`.

    Raises:
        ValueError: It was written by another version of the rules: fold the frames again.
    """
    version = msgspec.msgpack.decode(data, type=_Version)
    if (version.rules_version, version.format) != (RULES_VERSION, FORMAT):
        raise ValueError(
            f"The state is of rules version {version.rules_version} in format {version.format}, "
            f"expected {RULES_VERSION} in {FORMAT}: fold the run's frames again."
        )
    saved, rows = msgspec.msgpack.decode(data, type=_Checkpoint), len(schema.rows)
    layout = Layout.of(schema, like and like.layout)
    spells = {verdict: _unpacked(spell, rows) for verdict, spell in saved.spells.items()}
    return State(
        layout,
        samples=saved.samples,
        first_step=saved.first_step,
        step=saved.step,
        slower={
            name: np.frombuffer(block, "<f4").reshape(rows, len(schema.blocks[name].columns))
            for name, block in saved.slower.items()
        },
        path=np.frombuffer(saved.path, "<f8"),
        first_loss=saved.first_loss,
        asked=np.frombuffer(saved.asked, "<f8"),
        peak_rate=saved.peak_rate,
        paced=saved.paced,
        spells=spells,
        cleared=saved.cleared,
        opened=saved.opened,
        closed=saved.closed,
        standing=stand(layout, spells, saved.opened),
    )


def _bytes(array: npt.NDArray[np.floating], dtype: str) -> bytes:
    return array.astype(dtype, copy=False).tobytes()


def _packed(spell: Spell) -> _Spell:
    rows = np.flatnonzero(spell.held)
    return _Spell(rows.tolist(), spell.held[rows].tolist(), spell.onset[rows].tolist())


def _unpacked(saved: _Spell, rows: int) -> Spell:
    spell = Spell(np.zeros(rows, np.int64), np.zeros(rows, np.int64))
    spell.held[saved.rows], spell.onset[saved.rows] = saved.held, saved.onset
    return spell
