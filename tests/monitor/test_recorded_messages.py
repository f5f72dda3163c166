"""Messages that a trainer of an earlier release has left behind are read for ever."""

import runpy
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gainstage import wire

CONTRACT = Path(__file__).parents[1] / "contract"
RECORD = runpy.run_path(str(CONTRACT / "record.py"))
# A file that was committed is never taken out of this list.
RECORDED = (
    "run_start.v1",
    "schema.v1",
    "frame.v1",
    "notice.v1",
    "run_end.v1",
    "ack.v1",
    "refuse.v1",
    "finding.v1",
    "trial.v1",
    "run_deleted.v1",
    "subscribed.v1",
    "skipped.v1",
)


def test_every_recorded_message_is_read() -> None:
    assert {path.stem for path in CONTRACT.glob("*.bin")} == set(RECORDED)


def test_every_kind_of_message_was_recorded() -> None:
    recorded = {type(wire.decode(path.read_bytes())[0]) for path in CONTRACT.glob("*.bin")}

    assert recorded == set(wire.AnyMessage.__args__)


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_message_says_what_it_said_when_it_was_written(name: str) -> None:
    message, arrays = RECORD["MESSAGES"][name.removesuffix(".v1")]

    decoded, blocks = wire.decode((CONTRACT / f"{name}.bin").read_bytes())

    assert _without_blocks(decoded) == message
    assert {name: (array.shape, array.tobytes()) for name, array in blocks.items()} == {
        name: (array.shape, array.tobytes()) for name, array in arrays.items()
    }


def _without_blocks(message: Any) -> Any:
    if isinstance(message, wire.Carrier):
        return msgspec.structs.replace(message, blocks=())
    return message


def test_recorder_overwrites_nothing() -> None:
    with pytest.raises(FileExistsError):
        runpy.run_path(str(CONTRACT / "record.py"), run_name="__main__")
