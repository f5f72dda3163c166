"""A diagnosis that was saved: what cannot be read is refused, and nothing of it is superfluous."""

import msgspec
import pytest
from msgspec.structs import replace

from gainstage.diagnosis import RULES_VERSION, begin, dump_state, load_state

from .builders import GUILTY, fold, sample, schema


@pytest.mark.parametrize(
    "other", [{"rules_version": RULES_VERSION + 1}, {"format": None}], ids=["rules", "format"]
)
def test_state_of_other_rules_or_in_another_format_is_refused_with_what_to_do(
    other: dict[str, int | None],
) -> None:
    saved = msgspec.msgpack.decode(dump_state(begin(schema()))) | other
    # The first format did not tell that it was.
    told = {name: value for name, value in saved.items() if value is not None}

    with pytest.raises(ValueError, match="fold the run's frames again"):
        load_state(msgspec.msgpack.encode(told), schema())


def test_state_without_its_memory_would_not_continue_the_same() -> None:
    samples = [sample(10 * number, GUILTY["activity"]) for number in range(4)]
    half, _ = fold(begin(schema()), *samples[:2])
    forgetful = msgspec.msgpack.decode(dump_state(half))
    forgetful["spells"] = {}

    _, events = fold(load_state(msgspec.msgpack.encode(forgetful), schema()), *samples[2:])

    assert events == []
    assert fold(half, *samples[2:])[1] != []


def test_states_of_the_same_rows_share_what_is_made_of_them_and_no_others_do() -> None:
    here = schema()
    one = begin(here)
    training = replace(here.training, learning_rate=0.5)
    block = {name: part for name, part in here.blocks.items() if name == "layers"}

    again = begin(replace(here, training=training), one)
    loaded = load_state(dump_state(one), here, one)
    fewer = begin(replace(here, blocks=block), one)
    elsewhere = begin(schema(), one)

    for shares in (again, loaded):
        assert shares.layout.wholes is one.layout.wholes
    for apart in (fewer, elsewhere):
        assert apart.layout.wholes is not one.layout.wholes
    assert again.layout.schema.training == training
    assert one.layout.schema.training == here.training
