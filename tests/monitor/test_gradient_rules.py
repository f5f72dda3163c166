"""The rules about gradients, penalties and movement: where they trip, and what explains it away."""

import msgspec
import pytest

from gainstage.diagnosis import begin
from gainstage.diagnosis.fold import seen
from gainstage.diagnosis.rule import Case
from gainstage.statistics import BLOCKS

from .builders import (
    BY_VERDICT,
    CALM,
    GUILTY,
    LOUD,
    SGD,
    fold,
    row,
    sample,
    schema,
    symptoms,
    view,
)


@pytest.mark.parametrize("blocked", ["dead", "activity", "nonfinite"])
@pytest.mark.parametrize("verdict", ["vanishing", "exploding", "untrained"])
def test_layer_that_lets_no_gradient_pass_explains_what_others_lack(
    verdict: str, blocked: str
) -> None:
    alone = symptoms(view(GUILTY[verdict], CALM))
    behind = symptoms(view(GUILTY[verdict], GUILTY[blocked]))

    assert (alone, behind) == ([[verdict], []], [[], [blocked]])


def test_gradient_that_is_small_further_on_has_not_vanished_on_its_way() -> None:
    assert symptoms(view(CALM, GUILTY["vanishing"], CALM)) == [[], [], []]
    assert symptoms(view(GUILTY["vanishing"], GUILTY["vanishing"], CALM)) == [
        ["vanishing"],
        [],
        [],
    ]


def test_gradient_that_ends_at_once_has_not_vanished_on_its_way() -> None:
    none = {**CALM, "gradient_ratio": 0.0, "gradient_rms": 0.0, "update_ratio": 0.0}
    seen = view(none, CALM)

    assert symptoms(seen) == [["untrained"], []]
    assert BY_VERDICT["untrained"].prescribe(Case(seen, 0)).remedy.startswith("No gradient reaches")


def test_weights_that_get_little_while_others_move_have_little_to_learn() -> None:
    little = {**GUILTY["untrained"], "gradient_rms": 1e-7}

    assert symptoms(view(little, CALM)) == [[], []]
    assert symptoms(view(little, little)) == [["untrained"], ["untrained"]]


@pytest.mark.parametrize(
    "fields", [{"trainable": False}, {}], ids=["it is frozen", "the rate is 0"]
)
def test_weights_that_are_to_stand_still_are_not_untrained(fields: dict[str, bool]) -> None:
    rate = 0.05 if fields else 0.0
    training = msgspec.structs.replace(SGD, learning_rate=rate)

    found = symptoms(view(GUILTY["untrained"], rows=[row(**fields)], training=training))

    assert found == [[]]


def test_weights_that_have_moved_before_are_not_untrained() -> None:
    moving, still = sample(100, CALM), sample(200, GUILTY["untrained"])
    state, _ = fold(begin(schema()), *[sample(step, CALM) for step in range(16)], moving)

    assert symptoms(seen(state, *still)) == [[]]


@pytest.mark.parametrize(("step", "found"), [(399, []), (401, ["untrained"])])
def test_rate_that_has_come_to_nothing_early_leaves_weights_untrained(
    step: int, found: list[str]
) -> None:
    paced = [sample(at, CALM, learning_rate=0.01) for at in range(0, 101, 5)]
    state, _ = fold(begin(schema()), *paced)

    seen_then = seen(state, *sample(step, GUILTY["untrained"], learning_rate=0.0))

    assert symptoms(seen_then) == [found]
    if found:
        remedy = BY_VERDICT["untrained"].prescribe(Case(seen_then, 0)).remedy
        assert "301 steps ago the learning rate fell below 0.001 of the 0.01" in remedy


def test_finding_about_gradients_opens_with_a_sample_of_them() -> None:
    pressed = GUILTY["over_regularized"]
    plain = {id: value for id, value in pressed.items() if id not in BLOCKS["gradients"]}
    frames = [sample(step, pressed if step % 8 == 0 else plain) for step in range(24)]

    state, early = fold(begin(schema()), *frames)
    _, due = fold(state, sample(24, pressed))

    assert (early, [one.verdict for one in due]) == ([], ["over_regularized"])


def test_penalty_is_no_fault_while_the_layer_is_saturated_or_audible() -> None:
    pressed = {**GUILTY["over_regularized"], "penalty_ratio": 4.0}

    assert symptoms(view({**pressed, "pre_std": 0.3})) == [[]]
    assert (
        "over_regularized"
        not in symptoms(
            view(
                {
                    **LOUD,
                    "coherence_db": 30.0,
                    **{id: pressed[id] for id in ("pre_std", "penalty_ratio", "gradient_rms")},
                }
            )
        )[0]
    )


PENALISED = row(
    "penalised",
    arguments={
        "name": "penalised",
        "units": 8,
        "kernel_regularizer": {"class": "keras.regularizers.L2", "arguments": {"l2": 1.0}},
    },
)


@pytest.mark.parametrize(
    ("ratio", "found"), [(0.5, ["over_regularized"]), (0.005, []), (0.0005, ["vanishing"])]
)
def test_penalty_that_outweighs_a_gradient_that_arrives_is_a_fault_by_itself(
    ratio: float, found: list[str]
) -> None:
    outweighed = {**CALM, "penalty_ratio": 6.0, "gradient_rms": 0.1, "gradient_ratio": ratio}

    assert symptoms(view(outweighed, rows=[PENALISED])) == [found]


def test_layer_without_a_penalty_is_not_the_one_whose_penalty_outweighs_the_data() -> None:
    outweighed = {**CALM, "penalty_ratio": 6.0, "gradient_rms": 0.1, "gradient_ratio": 1.0}

    found = symptoms(view(outweighed, outweighed, rows=[row("plain"), PENALISED]))

    assert found == [[], ["over_regularized"]]


@pytest.mark.parametrize(("first", "found"), [(0.1, []), (0.01, ["over_regularized"])])
def test_penalty_is_held_against_the_most_that_the_data_have_asked_for(
    first: float, found: list[str]
) -> None:
    learning = sample(0, {**CALM, "penalty_ratio": 0.0, "gradient_rms": first})
    solved = sample(80, {**CALM, "penalty_ratio": 1e9, "gradient_rms": 0.1, "gradient_ratio": 1.0})
    state, _ = fold(begin(schema([PENALISED])), learning)

    assert symptoms(seen(state, *solved)) == [found]


def test_penalty_outweighs_nothing_where_the_data_have_never_asked_for_anything() -> None:
    alone = {**CALM, "penalty_ratio": float("inf"), "gradient_rms": 0.1, "gradient_ratio": 1.0}

    assert symptoms(view(alone, rows=[PENALISED])) == [[]]


def test_weight_decay_presses_as_a_penalty_does() -> None:
    training = msgspec.structs.replace(SGD, optimizer="AdamW", weight_decay=1.0)
    quiet = {**CALM, "pre_std": 0.01, "update_ratio": 0.06}

    assert symptoms(view(quiet, training=training, step=20)) == [["over_regularized"]]
    assert symptoms(view({**quiet, "update_ratio": 0.5}, training=training)) == [[]]
    remedy = (
        BY_VERDICT["over_regularized"]
        .prescribe(Case(view(quiet, training=training, step=20), 0))
        .remedy
    )
    assert remedy.startswith("Lower `weight_decay` of AdamW from 1 to ")


def test_output_that_has_to_be_large_is_no_explosion() -> None:
    rows = [row("a", activation="relu"), row("b", activation=None, inputs=(0,))]
    large = {**CALM, "pre_db": 100.0}

    assert symptoms(view(CALM, large, rows=rows)) == [[], []]
    assert symptoms(view({**CALM, "pre_db": 45.0}, large, rows=rows)) == [["exploding"], []]
    loud_data = {**CALM, "input_db": 50.0, "pre_db": 50.0}
    assert symptoms(view(loud_data, {**large, "pre_db": 80.0}, rows=rows)) == [[], []]


def test_patch_of_an_explosion_is_of_the_whole_layer_whose_part_it_is() -> None:
    name, gain = "recurrent", {"recurrent_gain_db": 12.0, "gradient_ratio": 1e4}
    given = {"name": name, "units": 8, "recurrent_initializer": "orthogonal", "go_backwards": True}
    rows = [
        row(name, kind="SimpleRNN", arguments=given),
        row(f"{name}/hidden", kind="SimpleRNN", arguments={}),
    ]

    prescribed = BY_VERDICT["exploding"].prescribe(Case(view(CALM, {**CALM, **gain}, rows=rows), 1))

    code = " ".join(prescribed.code.split())
    assert "keras.layers.SimpleRNN( units=8, go_backwards=True, name='recurrent', )" in code


def test_projection_of_an_attention_layer_is_told_where_to_be_changed_and_has_no_patch() -> None:
    gain = {"gain_db": 30.0, "gradient_ratio": 1e4}
    rows = [
        row("mha", kind="MultiHeadAttention", unjudged="read by its output only"),
        row("mha/query", kind="EinsumDense", arguments={"name": "query"}),
    ]

    found = BY_VERDICT["exploding"].prescribe(Case(view(CALM, {**CALM, **gain}, rows=rows), 1))

    assert "Begin model/mha/query from the default initializer" in found.remedy
    assert "Set it in model/mha, as the `kernel_initializer` of all its projec" in found.remedy
    assert found.code == ""


def test_part_of_a_layer_has_no_patch_of_its_own() -> None:
    loud = view(GUILTY["kernel"], rows=[row(arguments={})])

    assert BY_VERDICT["kernel"].prescribe(Case(loud, 0)).code == ""


def test_decay_that_cannot_have_shrunk_the_weights_yet_has_silenced_nothing() -> None:
    training = msgspec.structs.replace(SGD, optimizer="AdamW", weight_decay=1.0)
    cut_off = {**GUILTY["dead"], "output_std": 0.0, "update_ratio": SGD.learning_rate}

    assert symptoms(view(cut_off, training=training, step=19)) == [["dead"]]
