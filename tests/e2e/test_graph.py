"""The graph of the model in a real browser, of a model with blocks that was really trained."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import Server, violations
from .trainers import hand_made

expect.set_options(timeout=30_000)

PHONE = {"width": 375, "height": 667}


@pytest.fixture(scope="module")
def nested(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a run of a model with blocks that is over; `encoder/second` has a finding."""
    folder = tmp_path_factory.mktemp("nested")
    script = str(Path(__file__).with_name("fit_nested.py"))
    with (folder / "nested.log").open("wb") as log:
        subprocess.run(
            [sys.executable, script, server.url, "nested"],
            env=os.environ | {"GAINSTAGE_SPOOL": str(folder / "spool")},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
            timeout=180,
        )
    return "nested"


def open_graph(page: Page, server: Server, run: str, query: str = "") -> Locator:
    page.goto(f"{server.url}/runs/{run}/graph{query}")
    expect(page.get_by_test_id("connection")).to_have_text("receiving")
    graph = page.get_by_test_id("graph")
    expect(graph).to_be_visible()
    return graph


def box(page: Page, layer: str) -> Locator:
    return page.locator(f"[data-testid=graph-box][data-layer='{layer}']")


def frame(page: Page, block: str) -> Locator:
    return page.locator(f"[data-testid=graph-frame][data-block='{block}']")


def walked_to(page: Page, graph: Locator, layer: str) -> None:
    """The keyboard stands at `layer`."""
    expect(graph).to_have_attribute(
        "aria-activedescendant", box(page, layer).get_attribute("id") or "-"
    )


def test_large_models_are_folded_but_for_the_block_with_the_finding(
    server: Server, nested: str, page: Page
) -> None:
    open_graph(page, server, nested)
    expect(box(page, "encoder/second")).to_have_attribute("data-verdict", "kernel")
    expect(frame(page, "encoder")).to_have_accessible_name(
        "encoder, open block of 2 layers, kernel"
    )
    expect(box(page, "block_0")).to_have_accessible_name(
        "block_0, folded block of 7 layers, healthy"
    )
    expect(box(page, "block_0")).to_contain_text("7 layers")
    expect(page.get_by_test_id("graph-box")).to_have_count(2 + 6 + 1)


def test_a_click_selects_a_layer_and_its_arrows_stand_out(
    server: Server, nested: str, page: Page
) -> None:
    open_graph(page, server, nested)
    expect(page.get_by_test_id("graph-selected")).to_have_attribute("data-layer", "encoder/second")
    box(page, "classes").click()
    expect(page.get_by_test_id("graph-selected")).to_have_attribute("data-layer", "classes")
    expect(box(page, "classes")).to_have_accessible_name(re.compile(", selected$"))
    expect(page.locator("[data-testid=graph-arrow].strong")).to_have_count(1)


def test_a_double_click_opens_a_layer(server: Server, nested: str, page: Page) -> None:
    open_graph(page, server, nested)
    box(page, "classes").dblclick()
    page.wait_for_url("**/layers/**")


def test_a_click_unfolds_a_block_and_its_title_folds_it(
    server: Server, nested: str, page: Page
) -> None:
    open_graph(page, server, nested)
    box(page, "block_1").click()
    expect(box(page, "block_1_dense_0")).to_be_visible()
    assert page.url.endswith("folded=1.3-6")
    frame(page, "block_1").click(position={"x": 60, "y": 10})
    expect(box(page, "block_1_dense_0")).to_have_count(0)
    expect(box(page, "block_1")).to_be_visible()


def test_the_block_that_is_unfolded_stays_where_it_was(
    server: Server, nested: str, page: Page
) -> None:
    open_graph(page, server, nested)
    page.get_by_role("button", name="Larger").click()
    before = box(page, "block_0").locator(".face").bounding_box()
    box(page, "block_0").click()
    after = frame(page, "block_0").bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["x"] - after["x"]) < 60


def test_a_link_brings_back_what_was_folded(server: Server, nested: str, page: Page) -> None:
    open_graph(page, server, nested)
    page.get_by_role("button", name="Fold all", exact=True).click()
    expect(page.get_by_test_id("graph-box")).to_have_count(1 + 6 + 1)
    expect(page.get_by_role("button", name="Fold all", exact=True)).to_be_disabled()
    page.reload()
    expect(page.get_by_test_id("graph-box")).to_have_count(1 + 6 + 1)
    expect(box(page, "encoder")).to_contain_text("1 finding")
    page.get_by_role("button", name="Unfold all").click()
    expect(frame(page, "block_0")).to_be_visible()
    assert page.url.endswith("folded=")


def test_the_keyboard_walks_along_arrows_selects_folds_and_opens(
    server: Server, nested: str, page: Page
) -> None:
    graph = open_graph(page, server, nested)
    graph.focus()
    walked_to(page, graph, "encoder/second")
    page.keyboard.press("ArrowLeft")
    walked_to(page, graph, "encoder/first")
    said = page.locator("[aria-live=polite]", has_text="Feeds second")
    expect(said).to_have_count(1)
    page.keyboard.press("Space")
    expect(page.get_by_test_id("graph-selected")).to_have_attribute("data-layer", "encoder/first")

    page.keyboard.press("f")
    walked_to(page, graph, "encoder")
    said = page.locator("[aria-live=polite]", has_text="Folded encoder: 2 layers.")
    expect(said).to_have_count(1)
    page.keyboard.press("f")
    walked_to(page, graph, "encoder/first")
    page.keyboard.press("End")
    walked_to(page, graph, "classes")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    walked_to(page, graph, "block_0")
    page.keyboard.press("Enter")
    walked_to(page, graph, "block_0_dense_0")
    page.keyboard.press("Enter")
    page.wait_for_url("**/layers/**")


def scale(graph: Locator) -> float:
    transform = graph.locator("> g").get_attribute("transform") or ""
    return float(transform.partition("scale(")[2].rstrip(")"))


def test_the_picture_is_zoomed_by_keys_buttons_and_the_wheel_with_ctrl_only(
    server: Server, nested: str, page: Page
) -> None:
    graph = open_graph(page, server, nested)
    fitting = scale(graph)
    page.get_by_role("button", name="Larger").click()
    assert scale(graph) > fitting
    graph.focus()
    page.keyboard.press("0")
    assert scale(graph) == fitting
    page.keyboard.press("+")
    larger = scale(graph)
    assert larger > fitting
    before = graph.locator("> g").get_attribute("transform") or ""
    graph.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    expect(graph.locator("> g")).not_to_have_attribute("transform", before)
    assert scale(graph) > larger


def test_the_wheel_scrolls_the_page(server: Server, nested: str, page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 500})
    graph = open_graph(page, server, nested)
    graph.hover()
    before = scale(graph)
    at = page.evaluate("scrollY")
    page.mouse.wheel(0, 150)
    page.wait_for_function("(at) => scrollY !== at", arg=at)
    assert scale(graph) == before


def test_dragging_moves_the_picture_and_selects_nothing(
    server: Server, nested: str, page: Page
) -> None:
    graph = open_graph(page, server, nested)
    graph.focus()
    for key in ("+", "+", "+", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
    place = box(page, "encoder/second").locator(".face").bounding_box()
    assert place is not None
    x, y = place["x"] + 40, place["y"] + 30
    before = graph.locator("> g").get_attribute("transform")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=4)
    page.mouse.up()
    assert graph.locator("> g").get_attribute("transform") != before
    expect(page.get_by_test_id("graph-selected")).to_have_attribute("data-layer", "encoder/second")
    assert "layer=" not in page.url


class Fingers:
    """Touches of a screen, at places in pixels."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def __call__(self, kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


def on_a_phone(page: Page, server: Server, run: str) -> tuple[Locator, float, float]:
    """The graph, and a place in the upper part of it."""
    page.set_viewport_size(PHONE)
    graph = open_graph(page, server, run)
    graph.evaluate("(it) => scrollTo(0, it.getBoundingClientRect().top + scrollY - 200)")
    place = graph.bounding_box()
    assert place is not None
    return graph, place["x"] + place["width"] / 2, place["y"] + 150


def test_two_fingers_zoom_the_picture_and_not_the_page(
    server: Server, nested: str, page: Page
) -> None:
    graph, x, y = on_a_phone(page, server, nested)
    before = scale(graph)
    fingers = Fingers(page)
    fingers("touchStart", (x - 20, y), (x + 20, y))
    for apart in range(20, 80, 10):
        fingers("touchMove", (x - apart, y), (x + apart, y))
    fingers("touchEnd")
    page.wait_for_function(
        "(before) => Number(document.querySelector('[data-testid=graph] > g')"
        ".getAttribute('transform').split('scale(')[1].slice(0, -1)) > 2 * before",
        arg=before,
    )
    assert page.evaluate("visualViewport.scale") == 1


def test_one_finger_scrolls_the_page_up_and_down(server: Server, nested: str, page: Page) -> None:
    graph, x, y = on_a_phone(page, server, nested)
    before = page.evaluate("scrollY")
    fingers = Fingers(page)
    fingers("touchStart", (x, y))
    for distance in range(10, 120, 10):
        fingers("touchMove", (x, y - distance))
    fingers("touchEnd")
    page.wait_for_function("(before) => scrollY > before", arg=before)
    expect(graph).to_be_visible()


def test_a_run_that_goes_wrong_changes_colours_and_moves_nothing(
    server: Server, page: Page
) -> None:
    with hand_made(server.url, "graph-live", "model/dense") as run:
        run.sample(10, nonfinite=0.0)
        graph = open_graph(page, server, "graph-live")
        expect(box(page, "model/dense")).not_to_have_attribute("data-verdict", "nonfinite")
        before = graph.locator("> g").get_attribute("transform")
        for step in range(20, 100, 10):
            run.sample(step, nonfinite=1.0)
        expect(box(page, "model/dense")).to_have_attribute("data-verdict", "nonfinite")
        assert graph.locator("> g").get_attribute("transform") == before


def test_the_list_says_what_feeds_each_layer(server: Server, nested: str, page: Page) -> None:
    open_graph(page, server, nested)
    page.get_by_text("Show as a list").click()
    layers = page.get_by_role("region", name="Layers of the graph")
    expect(layers.get_by_role("row")).to_have_count(1 + 45)
    joined = layers.get_by_role("row").filter(has=page.get_by_role("rowheader", name="block_0_add"))
    expect(joined).to_contain_text("encoder/second, block_0_dense_5")
    layers.get_by_role("button", name="block_5_add").click()
    expect(page.get_by_test_id("graph-selected")).to_have_attribute("data-layer", "block_5_add")


def test_a_phone_shows_the_graph_from_top_to_bottom_without_scrolling_sideways(
    server: Server, nested: str, page: Page
) -> None:
    page.set_viewport_size(PHONE)
    open_graph(page, server, nested)
    first = box(page, "encoder/first").bounding_box()
    second = box(page, "encoder/second").bounding_box()
    assert first is not None
    assert second is not None
    assert second["y"] > first["y"] + first["height"] / 2
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("query", ["", "?folded="])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_everyone_can_use_the_graph(
    server: Server, nested: str, page: Page, scheme: Literal["dark", "light"], query: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    graph = open_graph(page, server, nested, query)
    graph.focus()
    page.get_by_text("Show as a list").click()
    expect(page.get_by_role("region", name="Layers of the graph")).to_be_visible()
    assert violations(page) == []
