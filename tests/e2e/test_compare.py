"""Runs side by side in a real browser: a real `fit` and the same model patched."""

from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from .conftest import Server, violations
from .trainers import hand_made, remedy

expect.set_options(timeout=30_000)

PHONE = {"width": 375, "height": 667}
PATCHED = "patched"


@pytest.fixture(scope="module")
def compared(server: Server, trained: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of the comparison of a run with one whose hidden layer is patched."""
    remedy("fit", server.url, PATCHED, tmp_path_factory.mktemp("patched"))
    return f"/compare?run={trained}&run={PATCHED}"


def open_comparison(page: Page, server: Server, path: str, *, runs: int = 2) -> None:
    page.goto(server.url + path)
    expect(page.get_by_test_id("compared-series")).to_have_attribute("data-runs", str(runs))
    page.get_by_test_id("compared-series").get_by_role("img").scroll_into_view_if_needed()
    expect(page.get_by_test_id("compared-series").locator("canvas")).to_be_visible()


def test_layers_are_matched_by_identity_and_the_rest_stands_apart(
    server: Server, compared: str, page: Page
) -> None:
    open_comparison(page, server, compared)
    rows = page.get_by_test_id("match")
    hidden = rows.first
    expect(hidden).to_have_attribute("data-layer", "sequential/hidden")
    expect(hidden).to_contain_text("also sequential_1/hidden")
    expect(hidden).to_contain_text("activity")
    expect(page.get_by_role("columnheader", name="Only in some of the runs")).to_be_visible()
    expect(rows.filter(has_text="activation")).to_contain_text("not in A")


def test_only_what_differs_is_shown_until_the_rest_is_asked_for(
    server: Server, compared: str, page: Page
) -> None:
    open_comparison(page, server, compared)
    runs = page.get_by_role("region", name="The runs")
    expect(runs.get_by_role("rowheader", name="patched")).to_be_visible()
    expect(runs.get_by_role("rowheader", name="optimizer")).to_have_count(0)
    runs.get_by_role("button", name="settings that are alike").click()
    expect(runs.get_by_role("rowheader", name="optimizer")).to_be_visible()
    series = page.get_by_test_id("compared-series")
    expect(series).to_contain_text("activity_regularizer")
    expect(series).to_contain_text("L2(l2=0.001)")


def test_each_run_has_a_line_in_its_colour(server: Server, compared: str, page: Page) -> None:
    open_comparison(page, server, compared)
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector("[data-testid=compared-series] canvas");
            if (!canvas?.width) return false;
            const style = getComputedStyle(document.documentElement);
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return ["--line-1", "--line-2"].every((name) => {
                const hex = style.getPropertyValue(name).trim();
                const line = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
                let found = 0;
                for (let at = 0; at < data.length; at += 4)
                    found += line.every((value, channel) => data[at + channel] === value);
                return found > 100;
            });
        }"""
    )


def test_the_keyboard_chooses_a_layer_and_reads_its_lines(
    server: Server, compared: str, page: Page
) -> None:
    open_comparison(page, server, compared)
    grid = page.get_by_role("grid")
    grid.focus()
    grid.press("End")
    grid.press("Enter")
    series = page.get_by_test_id("compared-series")
    expect(series.get_by_role("heading")).to_have_text("activation")
    expect(series).to_have_attribute("data-runs", "1")
    expect(series).to_contain_text("Not all of the runs have this layer")
    grid.press("Home")
    grid.press("Enter")
    expect(series).to_have_attribute("data-runs", "2")

    reading = series.get_by_role("slider", name="Read at step")
    reading.focus()
    reading.press("Home")
    expect(series.locator("output")).to_have_text("1")
    before = series.get_by_role("list").inner_text()
    reading.press("End")
    expect(series.locator("output")).not_to_have_text("1")
    assert series.get_by_role("list").inner_text() != before


def test_all_that_was_chosen_is_restored_by_the_address(
    server: Server, compared: str, page: Page, context: BrowserContext
) -> None:
    open_comparison(page, server, compared)
    series = page.get_by_test_id("compared-series")
    series.get_by_label("Statistic").select_option("gain_db")
    page.get_by_role("button", name="Saturation").click()
    page.get_by_test_id("match").first.get_by_role("button").click()
    last = series.locator("output")
    end = last.inner_text()
    box = series.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 50, steps=4)
    page.mouse.up()
    expect(series.get_by_role("button", name="All steps")).to_be_visible()
    page.mouse.move(5, 5)
    expect(last).not_to_have_text(end)

    again = context.new_page()
    again.goto(page.url)
    copy = again.get_by_test_id("compared-series")
    expect(copy).to_have_attribute("data-runs", "2")
    expect(copy.get_by_label("Statistic")).to_have_value("gain_db")
    expect(copy.locator("output")).to_have_text(last.inner_text())
    expect(again.get_by_role("button", name="Saturation")).to_have_attribute("aria-pressed", "true")


def test_a_finding_says_what_became_of_its_layer_in_a_later_run(
    server: Server, trained: str, compared: str, page: Page
) -> None:
    page.goto(f"{server.url}/runs/{trained}")
    after = page.get_by_test_id("before-after")
    expect(after).to_have_attribute("data-after", PATCHED)
    expect(after).to_contain_text("L2(l2=0.001)")
    after.get_by_role("link", name="Compare the two runs").click()
    expect(page.get_by_test_id("compared-series")).to_have_attribute("data-runs", "2")
    assert page.url.startswith(server.url + compared)


def test_a_run_that_does_not_exist_takes_none_of_the_others_away(
    server: Server, compared: str, context: BrowserContext
) -> None:
    page = context.new_page()  # what a browser says of an answer 404 is no error of ours
    open_comparison(page, server, f"{compared}&run=nosuch")
    expect(page.get_by_role("alert")).to_have_text("✕ There is no such run.")
    page.get_by_role("button", name="Take nosuch out of the comparison").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_have_text("2 runs compared")


def test_one_run_is_no_comparison(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/compare?run=alone")
    expect(page.get_by_role("heading", level=1)).to_have_text("A comparison is of two to six runs")


def test_a_layer_named_like_markup_is_text(server: Server, page: Page) -> None:
    name = "<img src=x onerror=\"alert('owned')\">"
    for run in ("hostile-1", "hostile-2"):
        with hand_made(server.url, run, name) as made:
            made.sample(10, nonfinite=0.0)
    open_comparison(page, server, "/compare?run=hostile-1&run=hostile-2")
    expect(page.get_by_test_id("match")).to_contain_text(name)
    assert page.locator("img").count() == 0


def test_a_phone_scrolls_only_up_and_down(server: Server, compared: str, page: Page) -> None:
    page.set_viewport_size(PHONE)
    open_comparison(page, server, compared)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("width", [360, 390])
def test_two_runs_are_read_on_a_phone_without_scrolling_sideways(
    server: Server, compared: str, page: Page, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    open_comparison(page, server, compared)
    cut = page.evaluate(
        """() => [...document.querySelectorAll("section, .scroller, td")]
            .filter((box) => box.scrollWidth > box.clientWidth)
            .map((box) => box.outerHTML.slice(0, 200))"""
    )
    assert cut == []


def test_on_a_phone_more_runs_scroll_within_their_tables(
    server: Server, compared: str, page: Page
) -> None:
    with hand_made(server.url, "third", "sequential/hidden") as made:
        made.sample(10, nonfinite=0.0)
    page.set_viewport_size({"width": 390, "height": 844})
    open_comparison(page, server, f"{compared}&run=third", runs=2)
    for table in page.get_by_role("region", name="The runs"), page.get_by_role("grid"):
        last = table.locator("thead th").last
        last.evaluate("(cell) => cell.scrollIntoView({ block: 'nearest', inline: 'end' })")
        box = last.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_everyone_can_use_the_page(
    server: Server, compared: str, page: Page, scheme: Literal["dark", "light"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    open_comparison(page, server, compared)
    page.get_by_text("Show as a table").click()
    assert violations(page) == []
