"""The page of a layer: where its level comes from, how its values spread, what stands beside it."""

import re
from typing import Literal
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from gainstage import wire

from .conftest import Server, violations
from .test_page import PHONE
from .trainers import hand_made

HIDDEN = "sequential/hidden"
TERMS = ("input_db", "gain_db", "coherence_db", "pre_db")
GATED = ("pre_db", "saturation_rate", "output_db")

# How many pixels of a canvas have a colour of the page, give or take a little, and that opacity.
COUNT_PIXELS = """(canvas, [name, least, most]) => {
    const probe = document.createElement("canvas").getContext("2d");
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
    const hex = probe.fillStyle;
    const wanted = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let at = 0; at < data.length; at += 4) {
        const opaque = data[at + 3] >= least && data[at + 3] <= most;
        found += opaque && wanted.every((value, i) => Math.abs(data[at + i] - value) <= 9);
    }
    return found;
}"""


def open_layer(page: Page, server: Server, run: str, layer: str, query: str = "") -> Locator:
    """The part of the page about the level, which waits for the layer's history."""
    page.goto(f"{server.url}/runs/{run}/layers/{quote(layer, safe='')}{query}")
    expect(page.get_by_test_id("layer")).to_have_attribute("data-layer", layer)
    terms = page.get_by_test_id("panel-terms")
    terms.scroll_into_view_if_needed()
    expect(terms.locator("canvas")).to_be_visible()
    return terms


def pixels(panel: Locator, colour: str, least: int = 1, most: int = 255) -> int:
    return panel.locator(".uplot canvas").evaluate(COUNT_PIXELS, [colour, least, most])


def drag(page: Page, panel: Locator, begin: float, end: float) -> None:
    panel.scroll_into_view_if_needed()
    over = panel.locator(".u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + begin * box["width"], box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], box["y"] + 45, steps=4)
    page.mouse.up()


def test_the_level_of_the_loud_layer_is_drawn_as_its_terms(
    server: Server, trained: str, page: Page
) -> None:
    terms = open_layer(page, server, trained, HIDDEN)
    key = terms.get_by_role("listitem")
    expect(key.filter(has_text="Coherence")).to_contain_text("+31.")
    expect(key.filter(has_text="Kernel gain")).to_contain_text("+22.")
    expect(terms.get_by_test_id("growth")).to_contain_text("No term changed by more than 0.5")
    # Of 40 dB the coherence holds the largest part, and its ribbon most of the picture.
    coherence, gain = (pixels(terms, f"--{term}", 90, 120) for term in ("coherence", "gain"))
    assert coherence > 1.5 * gain > 1_000

    head = page.get_by_test_id("layer")
    expect(head).to_contain_text("dB over")
    expect(head).to_contain_text("RandomNormal(mean=0.3, stddev=0.05)")
    expect(head).to_contain_text("SGD")
    head.get_by_role("link", name=re.compile("runs .* over the headroom")).click()
    expect(page).to_have_url(re.compile(r"/runs/trained\?layer="))
    expect(page.get_by_test_id("finding")).to_be_visible()


def test_the_term_that_grew_is_named_while_it_grows(server: Server, page: Page) -> None:
    row = wire.Row(id="row0", path="model/dense", kind="Dense", activation="sigmoid")
    with hand_made(server.url, "growing", rows=[row], columns=TERMS) as run:
        for step in range(10):
            run.frame(step, [-11.0, 13.0, step, 2.0 + step])
        growth = open_layer(page, server, "growing", "model/dense").get_by_test_id("growth")
        expect(growth).to_contain_text("Coherence grew by +9.0")
        for step in range(10, 19):
            run.frame(step, [-11.0, 13.3, step, 2.3 + step])
        expect(growth).to_contain_text("Coherence grew by +18.0")
        expect(growth).to_contain_text("kernel gain by +0.3")


def test_the_spread_is_held_against_what_the_activation_passes_on(
    server: Server, trained: str, page: Page
) -> None:
    open_layer(page, server, trained, HIDDEN)
    fan = page.get_by_test_id("panel-fan")
    expect(fan.get_by_test_id("fan-words")).to_contain_text("sigmoid saturates")
    expect(fan.get_by_test_id("curve")).to_be_visible()
    # All of the layer's values lie in the part that is shaded.
    assert pixels(fan, "--critical", 25, 90) > 5_000
    assert pixels(fan, "--line-3", 200, 255) > 300


def test_the_units_that_are_pinned_are_drawn_and_read_with_the_keyboard(
    server: Server, trained: str, page: Page
) -> None:
    open_layer(page, server, trained, HIDDEN)
    panel = page.get_by_test_id("panel-units")
    expect(panel.get_by_test_id("units-words")).to_contain_text("64 of the 64 units are pinned now")
    picture = panel.get_by_test_id("units")
    picture.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(panel.get_by_text(re.compile(r"unit 1, step 351: 100"))).to_be_attached()
    middle = picture.evaluate(
        """(it) => [...it.getContext("2d").getImageData(it.width / 2, 100, 1, 1).data]"""
    )
    assert middle == [0xFD, 0xE7, 0x25, 0xFF], "not the brightest of viridis"
    panel.get_by_role("button", name="Longest pinned first").click()
    panel.get_by_text("Show as a table").click()
    expect(panel.get_by_role("rowheader", name="unit 63", exact=True)).to_be_visible()


def test_the_keyboard_reads_the_charts_and_goes_from_layer_to_layer(
    server: Server, trained: str, page: Page
) -> None:
    terms = open_layer(page, server, trained, HIDDEN)
    terms.get_by_role("img").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text(re.compile(r"Step 11: Input .*dB, Kernel gain"))).to_be_attached()
    # The cursor is everybody's.
    page.get_by_test_id("panel-weights").get_by_role("img").scroll_into_view_if_needed()
    cursor = page.get_by_test_id("panel-weights").locator(".u-cursor-x")
    expect(cursor).not_to_have_class(re.compile("u-off"))
    page.keyboard.press("]")
    head = page.get_by_test_id("layer")
    expect(head).to_have_attribute("data-layer", "sequential/classes")
    expect(page.get_by_role("button", name="Next layer: there is none")).to_be_disabled()
    page.keyboard.press("[")
    expect(head).to_have_attribute("data-layer", HIDDEN)


def test_steps_chosen_in_one_chart_are_shown_by_all_and_kept_in_the_address(
    server: Server, trained: str, page: Page
) -> None:
    open_layer(page, server, trained, HIDDEN)
    steps = page.get_by_test_id("steps")
    whole = steps.inner_text()
    drag(page, page.get_by_test_id("panel-fan"), 0.3, 0.6)
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    expect(steps).to_contain_text(" of ")
    chosen = steps.inner_text()
    expect(page.get_by_test_id("growth")).not_to_contain_text("From step 1 to")
    page.reload()
    expect(steps).to_have_text(chosen, use_inner_text=True)
    page.keyboard.press("Escape")
    expect(page).not_to_have_url(re.compile("from="))
    expect(steps).to_have_text(whole, use_inner_text=True)
    page.keyboard.press("+")
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    steps.get_by_role("button", name="Wider").click()
    expect(page).not_to_have_url(re.compile("from="))


def test_a_layers_history_is_asked_for_once(server: Server, trained: str, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    terms = open_layer(page, server, trained, HIDDEN)
    terms.get_by_role("img").hover()
    page.wait_for_timeout(500)
    assert len([url for url in asked if "/series?" in url]) == 1


def test_the_gates_of_a_recurrent_layer_stand_together(server: Server, page: Page) -> None:
    rows = [
        wire.Row(id="loop", path="model/lstm", kind="LSTM"),
        *(
            wire.Row(
                id=name,
                path=f"model/lstm/{name}",
                kind="LSTM",
                state_fan_in=8,
                activation="sigmoid",
            )
            for name in ("input", "forget")
        ),
    ]
    with hand_made(server.url, "gated", rows=rows, columns=GATED) as run:
        for step in range(5):
            run.frame(step, [2.0, 0.25, -3.0])
    terms = open_layer(page, server, "gated", "model/lstm")
    expect(terms).to_contain_text("its level has no terms")
    expect(page.get_by_test_id("panel-units")).to_contain_text(
        "There is no map of this layer's units"
    )
    gates = page.get_by_test_id("gate")
    expect(gates).to_have_count(2)
    expect(gates.first).to_contain_text("25\u202f%")
    gates.first.scroll_into_view_if_needed()
    expect(gates.first.locator("canvas")).to_be_visible()
    gates.get_by_role("link", name="forget").click()
    head = page.get_by_test_id("layer")
    expect(head).to_have_attribute("data-layer", "model/lstm/forget")
    expect(gates).to_have_count(2)
    head.get_by_role("link", name="model/lstm", exact=True).click()
    expect(head).to_have_attribute("data-layer", "model/lstm")


def test_a_layer_that_the_run_has_not_is_said_to_be_none(
    server: Server, trained: str, page: Page
) -> None:
    page.goto(f"{server.url}/runs/{trained}/layers/nonesuch")
    expect(page.get_by_role("heading", name="This run has no such layer")).to_be_visible()


def test_the_page_of_a_layer_fits_on_a_phone(server: Server, trained: str, page: Page) -> None:
    page.set_viewport_size(PHONE)
    open_layer(page, server, trained, HIDDEN)
    expect(page.get_by_test_id("curve")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_everyone_can_use_the_page_of_a_layer(
    server: Server, trained: str, page: Page, scheme: Literal["dark", "light"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    terms = open_layer(page, server, trained, HIDDEN)
    expect(page.get_by_test_id("curve")).to_be_visible()
    terms.get_by_text("Show as a table").click()
    expect(terms.get_by_role("columnheader", name="Coherence")).to_be_visible()
    assert violations(page) == []
