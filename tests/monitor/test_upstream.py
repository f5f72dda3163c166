"""Which layer is blamed for an input that is too loud: the one that sends it."""

import numpy as np
import pytest

from gainstage.diagnosis.overload import CLOSING_DB
from gainstage.diagnosis.rule import Case

from .builders import BY_VERDICT, CALM, GUILTY, HEADROOM, counted, row, symptoms, view

# A linear layer that is loud because its weights are, and one that passes it on.
SENDING = {**CALM, "output_db": 30.0, "gain_db": 30.0, "pre_db": 30.0, "saturation_rate": np.nan}
HANDING_ON = {"output_db": 30.0}


def test_layer_before_is_blamed_for_an_input_that_is_too_loud() -> None:
    rows = [
        row("first", activation=None),
        row("dropout", kind="Dropout", activation=None, inputs=(0,)),
        row("second", inputs=(1,)),
    ]

    seen = view(SENDING, HANDING_ON, GUILTY["input"], rows=rows)

    assert symptoms(seen) == [["kernel"], [], []]
    one = Case(seen, 0)
    assert (
        BY_VERDICT["kernel"]
        .summary(one)
        .startswith("model/first puts out +30 dB and overloads model/second: its weights")
    )
    assert BY_VERDICT["kernel"].limits(one)["output_db"] == 0.0


def test_layer_before_is_blamed_once_for_all_that_it_overloads() -> None:
    rows = [row("first", activation=None), row("a", inputs=(0,)), row("b", inputs=(0,))]

    found = symptoms(view(SENDING, GUILTY["input"], GUILTY["input"], rows=rows))

    assert found == [["kernel"], [], []]


def test_layer_before_that_is_fed_too_much_hands_the_blame_on() -> None:
    fed = {**SENDING, "gain_db": 0.0, "input_db": 30.0}
    rows = [
        row("first", activation=None),
        row("second", activation=None, inputs=(0,)),
        row("third", inputs=(1,)),
    ]

    assert symptoms(view(SENDING, fed, GUILTY["input"], rows=rows)) == [["kernel"], [], []]
    assert symptoms(view(fed, fed, GUILTY["input"], rows=rows)) == [["input"], [], []]


@pytest.mark.parametrize(
    ("before", "fields"),
    [
        ({**SENDING, "output_db": -1.0}, {}),
        (HANDING_ON, {}),
        (SENDING, {"unjudged": "read by its output only"}),
    ],
    ids=["it is quiet", "nothing is known of it", "it is not judged"],
)
def test_layer_before_is_not_blamed_where(before: dict[str, float], fields: dict[str, str]) -> None:
    rows = [row("first", activation=None, **fields), row("second", inputs=(0,))]

    assert symptoms(view(before, GUILTY["input"], rows=rows)) == [[], ["input"]]


def test_rows_that_feed_one_another_in_a_circle_are_not_blamed_by_each_other() -> None:
    rows = [row("first", inputs=(1,)), row("second", inputs=(0,))]
    loud = {**GUILTY["input"], "output_db": 30.0}

    assert symptoms(view(loud, loud, rows=rows)) == [["input"], ["input"]]


def test_blame_is_sought_over_no_row_twice() -> None:
    def calls(layers: int) -> int:
        rows = [row(f"{place}", inputs=(place - 1,) if place else ()) for place in range(layers)]
        handing_on = {**GUILTY["input"], "output_db": 30.0}
        seen = view(*[handing_on] * layers, rows=rows)
        return counted(lambda: BY_VERDICT["input"].symptom(seen))

    assert calls(200) < 2.5 * calls(100)


def test_blame_holds_while_the_layer_behind_is_overloaded() -> None:
    rows = [row("first", activation=None), row("second", inputs=(0,))]
    inside = {**GUILTY["input"], "pre_db": HEADROOM + CLOSING_DB - 0.1}
    rule = BY_VERDICT["kernel"]

    assert rule.holds(view(SENDING, GUILTY["input"], rows=rows)).tolist() == [True, False]
    assert rule.holds(view(SENDING, inside, rows=rows)).tolist() == [False, False]
