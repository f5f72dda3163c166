"""The logs of a training in a real browser: a real `fit`, its loss beside its finding."""

import re
from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from .conftest import Server, violations
from .test_desk import drag
from .test_page import open_run
from .trainers import hand_made

expect.set_options(timeout=30_000)

PHONE = {"width": 375, "height": 667}


def unfold(page: Page, server: Server, run: str) -> Locator:
    """The training of a run, once its loss is drawn."""
    open_run(page, server, run)
    panel = page.get_by_test_id("training")
    panel.get_by_role("heading", name="Training").click()
    panel.get_by_test_id("log").first.scroll_into_view_if_needed()
    expect(panel.get_by_test_id("log").first.locator("canvas")).to_be_visible()
    return panel


def test_logs_are_asked_for_only_where_they_are_shown(
    server: Server, trained: str, page: Page
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_run(page, server, trained)
    page.get_by_test_id("series").get_by_role("img").scroll_into_view_if_needed()
    expect(page.get_by_test_id("series").locator("canvas")).to_be_visible()
    assert not any("/logs" in url for url in asked)

    page.get_by_test_id("training").get_by_role("heading", name="Training").click()
    page.get_by_test_id("log").first.scroll_into_view_if_needed()
    expect(page.get_by_test_id("log").first.locator("canvas")).to_be_visible()
    assert [url for url in asked if "/logs" in url] == [
        f"{server.url}/api/v1/runs/{trained}/logs?points=600"
    ]


def test_the_loss_is_drawn_first_with_the_finding_in_it(
    server: Server, trained: str, page: Page
) -> None:
    panel = unfold(page, server, trained)
    expect(panel.get_by_test_id("log").first).to_have_attribute("data-name", "loss")
    expect(panel).to_contain_text("▲ Findings began at step 1.")
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector("[data-name=loss] canvas");
            if (!canvas?.width) return false;
            const style = getComputedStyle(document.documentElement);
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return ["--line-1", "--critical"].every((name) => {
                const hex = style.getPropertyValue(name).trim();
                const ink = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
                let found = 0;
                for (let at = 0; at < data.length; at += 4)
                    // A thin line rarely covers a point of the screen whole.
                    found += ink.every((value, part) => Math.abs(data[at + part] - value) < 64);
                return found > 50;
            });
        }"""
    )


def test_what_is_unfolded_and_zoomed_to_is_kept_in_the_address(
    server: Server, trained: str, page: Page, context: BrowserContext
) -> None:
    panel = unfold(page, server, trained)
    drag(page, panel.get_by_test_id("log").first.locator(".u-over"), 0.3, 0.7)
    expect(page).to_have_url(re.compile(r"training=open&from=\d+&to=\d+"))
    # Whatever else is drawn over steps shows the same ones.
    expect(page.get_by_test_id("show-all")).to_be_visible()

    again = context.new_page()
    again.goto(page.url)
    copy = again.get_by_test_id("training")
    copy.get_by_test_id("log").first.scroll_into_view_if_needed()
    expect(copy.locator("canvas").first).to_be_visible()
    expect(again.get_by_test_id("show-all")).to_be_visible()
    copy.get_by_role("heading", name="Training").click()
    expect(copy.locator("canvas")).to_have_count(0)
    expect(again).not_to_have_url(re.compile("training="))


def test_the_keyboard_reads_the_loss_and_the_table_has_its_numbers(
    server: Server, trained: str, page: Page
) -> None:
    panel = unfold(page, server, trained)
    plot = panel.get_by_role("img", name=re.compile("^loss over"))
    plot.focus()
    page.keyboard.press("Home")
    expect(panel.get_by_text(re.compile(r"^Step 1: loss \d"))).to_be_attached()
    panel.get_by_text("Show as a table").click()
    table = panel.get_by_role("table")
    expect(table.get_by_role("columnheader").nth(1)).to_have_text("loss")
    # A rate that is learned with is no share in percent.
    rate = table.get_by_role("row").nth(1).get_by_role("cell").last
    expect(rate).to_have_text(re.compile(r"^0\.\d+$"))


def test_the_loss_grows_with_the_run_and_its_gaps_are_counted(server: Server, page: Page) -> None:
    with hand_made(server.url, "logging", "dense") as made:
        made.sample(10, loss=2.0)
        panel = unfold(page, server, "logging")
        loss = panel.get_by_test_id("log")
        expect(loss).to_contain_text("loss 2")
        made.sample(20, loss=1.5)
        expect(loss).to_contain_text("loss 1.5")
        expect(loss.get_by_role("img")).to_have_attribute("aria-label", re.compile("over 2 points"))
        made.sample(30, loss=float("nan"))
        expect(loss).to_contain_text("1 value was NaN or infinite")


def test_a_log_named_like_markup_is_text(server: Server, page: Page) -> None:
    name = "<img src=x onerror=\"alert('owned')\">"
    with hand_made(server.url, "hostile-log", "dense") as made:
        made.sample(10, **{name: 1.0})
    panel = unfold(page, server, "hostile-log")
    expect(panel).to_contain_text(name)
    assert page.locator("img").count() == 0


def test_a_log_may_have_a_name_that_objects_keep_for_themselves(server: Server, page: Page) -> None:
    with hand_made(server.url, "own-name", "dense") as made:
        made.sample(10, __proto__=2.0)
        panel = unfold(page, server, "own-name")
        log = panel.locator("[data-testid=log][data-name=__proto__]")
        expect(log).to_contain_text("2")
        made.sample(20, __proto__=1.5)
        expect(log).to_contain_text("1.5")


def test_runs_are_compared_by_what_they_logged(server: Server, trained: str, page: Page) -> None:
    with hand_made(server.url, "other-logs", "dense") as made:
        made.sample(10, loss=1.0)
    page.goto(f"{server.url}/compare?run={trained}&run=other-logs")
    series = page.get_by_test_id("compared-series")
    series.get_by_label("Statistic").select_option(label="loss")
    expect(series).to_have_attribute("data-runs", "2")
    expect(series.get_by_role("heading")).to_have_text("Training")
    page.reload()
    expect(series).to_have_attribute("data-runs", "2")
    expect(series.get_by_label("Statistic")).to_have_value("log loss")
    page.get_by_test_id("match").first.get_by_role("button").click()
    expect(series.get_by_role("heading")).not_to_have_text("Training")


def test_a_phone_scrolls_only_up_and_down(server: Server, trained: str, page: Page) -> None:
    page.set_viewport_size(PHONE)
    unfold(page, server, trained)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_everyone_can_use_the_page(
    server: Server, trained: str, page: Page, scheme: Literal["dark", "light"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    panel = unfold(page, server, trained)
    panel.get_by_text("Show as a table").click()
    assert violations(page) == []
