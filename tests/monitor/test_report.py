"""The table at the end of `fit`: what was judged, and which findings are over."""

import io
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console

from gainstage import wire
from gainstage.diagnosis import State, begin
from gainstage.finding import Alternative, Effect, prospect
from gainstage.frame import Table
from gainstage.report import print_finding, print_findings
from gainstage.statistics import IDS
from gainstage.windows import WINDOW

from .builders import CALM, GUILTY, fold, row, sample, schema

YELLOW = "\x1b[33m"


def after(rows: list[wire.Row], *samples: list[Any]) -> State:
    frames = [sample(10 * number, *statistics) for number, statistics in enumerate(samples)]
    return fold(begin(schema(rows)), *frames)[0]


def printed(state: State, *, coloured: bool = False, over_budget: bool = False) -> str:
    shape = (len(state.layout.rows), len(IDS))
    paths = tuple(row.path for row in state.layout.rows)
    table = Table(70, paths, np.zeros(shape, np.float32), np.ones(shape, bool))
    file = io.StringIO()
    colours = "standard" if coloured else None
    console = Console(file=file, width=100, force_terminal=coloured, color_system=colours)
    print_findings(state, table, {"share": 0.01}, None, console, over_budget=over_budget)
    return file.getvalue()


def test_layers_that_are_judged_are_counted_and_those_whose_range_is() -> None:
    rows = [row("a"), row("b", activation="relu"), row("c", unjudged="read by its output only")]

    text = " ".join(printed(after(rows, *[[CALM] * 3] * WINDOW)).split())

    assert text == (
        "gainstage: 2 of 3 layers are judged, 1 for range, up to step 70 (1.0% of the training "
        "time): nothing to report."
    )


@pytest.mark.parametrize(
    ("rows", "samples", "said"),
    [
        (
            [row("a", unjudged="read by its output only")] * 2,
            WINDOW,
            "0 of 2 layers are judged, 0 for range, up to step 70 (1.0% of the training time): "
            "none can be judged, since each is one of these: read by its output only.",
        ),
        (
            [row("a")],
            2,
            "1 of 1 layers are judged, 1 for range, up to step 70 (1.0% of the training time): "
            "nothing to report (samples so far: 2; dead units show after 16).",
        ),
    ],
    ids=["no layer that can be judged", "few samples"],
)
def test_nothing_to_report_is_told_from_nothing_that_could_be(
    rows: list[wire.Row], samples: int, said: str
) -> None:
    text = " ".join(printed(after(rows, *[[CALM] * len(rows)] * samples)).split())

    assert text == f"gainstage: {said}"


def test_symptom_that_has_not_lasted_yet_is_not_nothing() -> None:
    text = " ".join(printed(after([row()], [GUILTY["activity"]])).split())

    assert text == (
        "gainstage: 0 of 1 layers are judged, 0 for range, up to step 70 (1.0% of the training "
        "time): nothing to report yet, but 1 with a symptom that is reported if it lasts (samples "
        "so far: 1)."
    )


def test_share_above_the_budget_is_told_with_its_reason() -> None:
    text = " ".join(printed(after([row()], [CALM]), over_budget=True).split())

    assert "(1.0% of the training time; the first 16 samples come whatever they cost)" in text


def test_finding_that_is_over_reads_as_over_and_in_no_alarming_colour() -> None:
    state = after([row()], *[[GUILTY["activity"]]] * 4, *[[CALM]] * 5)

    assert "0-80 over" in " ".join(printed(state).split())
    assert YELLOW not in printed(state, coloured=True)


def test_finding_that_is_open_reads_as_open() -> None:
    state = after([row()], *[[GUILTY["activity"]]] * 4)

    assert " 0- " in " ".join(printed(state).split())
    assert YELLOW in printed(state, coloured=True)


@pytest.mark.parametrize("state", [None, after([row()])])
def test_run_without_a_sample_says_so(state: State | None) -> None:
    file = io.StringIO()

    print_findings(state, None, {}, None, Console(file=file))

    assert file.getvalue() == "gainstage: no step was sampled.\n"


def test_finding_is_printed_with_what_is_expected_and_what_ranks_lower() -> None:
    (finding,) = after([row(kernel_shape=(16, 8))], *[[GUILTY["activity"]]] * 4).findings
    file = io.StringIO()

    print_finding(finding, Console(file=file, width=100))

    text = " ".join(file.getvalue().split())
    assert "Expected change: pre -20 dB. Ranked lower: normalisation, centred input, kernel" in text


def test_finding_reads_as_a_sentence() -> None:
    (finding,) = after([row("a\x1b")], *[[GUILTY["activity"]]] * 4).findings

    assert str(finding).startswith("activity, since step 0: model/a\\x1b runs ")
    over = str(replace(finding, closed_step=9))
    assert over.startswith("activity, since step 0, over at step 9: ")


def test_where_nothing_was_found_the_run_is_still_named() -> None:
    file = io.StringIO()
    state = after([row()], *[[CALM]] * WINDOW)
    table = Table(70, ("a",), np.zeros((1, len(IDS)), np.float32), np.ones((1, len(IDS)), bool))

    print_findings(state, table, {}, "http://here/runs/mine", Console(file=file))

    assert file.getvalue().endswith("nothing to report. http://here/runs/mine\n")


def test_line_of_what_is_expected_holds_only_what_is_known() -> None:
    effects = (Effect("gain", -12.4), Effect("input", 3.0))
    others = (
        Alternative("kernel penalty", "Why."),
        Alternative("scaled input", "Why."),
    )

    assert prospect(effects, ()) == "Expected change: gain -12 dB, input +3 dB."
    assert prospect((), others) == "Ranked lower: kernel penalty, scaled input."
    assert prospect((), ()) == ""
