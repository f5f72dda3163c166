"""The dashboard in a real browser, fed by a real server and a real `fit`."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from .conftest import Server, Watch, violations
from .trainers import hand_made, training

expect.set_options(timeout=30_000)

PHONE = {"width": 375, "height": 667}


def open_run(page: Page, server: Server, run: str) -> None:
    page.goto(f"{server.url}/runs/{run}")
    expect(page.get_by_test_id("connection")).to_have_text("receiving")
    expect(page.get_by_test_id("strip").first).to_be_visible()


def colours_of(page: Page, canvas: str, places: list[list[float]]) -> list[list[int]]:
    """Red, green, blue and alpha of a canvas at `places`, in pixels from its corner."""
    return page.locator(canvas).evaluate(
        """(canvas, places) => {
            // Another thread draws it: only a copy can be read.
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
            copy.drawImage(canvas, 0, 0);
            return places.map(([x, y]) => [...copy.getImageData(x, y, 1, 1).data]);
        }""",
        places,
    )


def test_a_run_and_its_finding_appear_while_the_page_is_open(
    server: Server, page: Page, tmp_path: Path
) -> None:
    page.goto(server.url)
    expect(page.get_by_test_id("connection")).to_have_text("receiving")
    page.evaluate("window.opened = 'once'")
    with training(server.url, tmp_path, "live") as fit:
        page.locator("[data-testid=run-link][href='/runs/live']").click()
        expect(page.get_by_test_id("status")).to_have_text("live")
        expect(page.get_by_text("Nothing is judged yet.")).to_be_visible()
        expect(page.get_by_test_id("finding")).to_have_count(0)

        fit.communicate(b"go on\n", timeout=60)
        finding = page.get_by_test_id("finding")
        expect(finding).to_have_attribute("data-verdict", "activity")
        expect(finding).to_have_attribute("data-layer", "sequential/hidden")
        hidden = page.locator("[data-testid=strip][data-layer='sequential/hidden']")
        expect(hidden).to_have_attribute("data-verdict", "activity")
        expect(page.get_by_test_id("status")).to_have_text("ended")
        assert fit.returncode == 0
    assert page.evaluate("window.opened") == "once", "the page was loaded again"


def test_the_heatmap_shows_the_loud_layer_unlike_the_quiet_one(
    server: Server, trained: str, page: Page
) -> None:
    open_run(page, server, trained)
    page.get_by_test_id("heatmap-frame").scroll_into_view_if_needed()
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector("[data-testid=heatmap]");
            if (!canvas) return false;
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
            copy.drawImage(canvas, 0, 0);
            return copy.getImageData(300, 8, 1, 1).data[3] === 255;
        }"""
    )
    width = page.get_by_test_id("heatmap").evaluate("(canvas) => canvas.width")
    loud, quiet = colours_of(page, "[data-testid=heatmap]", [[width / 2, 8], [width / 2, 36]])
    assert loud[3] == quiet[3] == 255
    # Viridis: a higher level is lighter.
    assert sum(loud[:3]) > sum(quiet[:3]) + 50


def wait_for_line(page: Page, colour: str) -> None:
    """Until the chosen layer's series have a line in one of the page's colours."""
    page.get_by_test_id("series").scroll_into_view_if_needed()
    page.wait_for_function(
        """(colour) => {
            const canvas = document.querySelector("[data-testid=series] canvas");
            if (!canvas?.width) return false;
            const style = getComputedStyle(document.documentElement);
            const hex = style.getPropertyValue(colour).trim();
            const line = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            let found = 0;
            for (let at = 0; at < data.length; at += 4)
                found += line.every((value, channel) => data[at + channel] === value);
            return found > width / 2;
        }""",
        arg=colour,
    )


def test_the_series_of_the_chosen_layer_are_drawn(server: Server, trained: str, page: Page) -> None:
    open_run(page, server, trained)
    series = page.get_by_test_id("series")
    expect(series).to_have_attribute("data-layer", "sequential/hidden")
    page.locator("[data-testid=strip][data-layer='sequential/classes']").click()
    expect(series).to_have_attribute("data-layer", "sequential/classes")
    wait_for_line(page, "--line-3")


def test_a_ratio_of_any_magnitude_is_drawn(server: Server, page: Page) -> None:
    with hand_made(server.url, "vanishing", columns=("update_ratio",)) as run:
        for step in range(10):
            run.frame(step, [10.0 ** -(3 * step)])
    page.goto(f"{server.url}/runs/vanishing?lines=update_ratio")
    wait_for_line(page, "--line-1")


def test_the_patch_is_copied_to_the_letter(server: Server, trained: str, page: Page) -> None:
    open_run(page, server, trained)
    finding = page.get_by_test_id("finding")
    finding.get_by_test_id("copy").click()
    expect(finding.get_by_test_id("copy")).to_have_text("✓ Copied")
    answer = page.request.get(f"{server.url}/api/v1/runs/{trained}/findings").json()
    code = answer["findings"][0]["code"]
    assert page.evaluate("navigator.clipboard.readText()") == code
    shown = finding.get_by_test_id("finding-code").evaluate(
        """(pre) => [...pre.querySelectorAll(".line:not(.removed)")].map((line) =>
            [...line.childNodes]
            .filter((node) => !node.classList?.contains("offscreen"))
            .map((node) => node.textContent).join("")).join("")"""
    )
    assert shown == code
    assert "activation='sigmoid'," in finding.locator(".removed").all_text_contents()[0]
    assert "activity_regularizer" in code


@pytest.mark.parametrize("path", ["/", "/runs/trained"])
def test_a_phone_scrolls_only_up_and_down(
    server: Server, trained: str, page: Page, path: str
) -> None:
    page.set_viewport_size(PHONE)
    page.goto(server.url + path)
    name = page.get_by_text(trained, exact=True)
    expect(name.locator("visible=true").first).to_be_visible()
    expect(page.get_by_test_id("connection")).to_have_text("receiving")
    if path != "/":
        page.get_by_test_id("series").scroll_into_view_if_needed()
        expect(page.get_by_test_id("series").locator("canvas")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_legend_of_the_heatmap_is_one_line_on_a_phone(
    server: Server, trained: str, page: Page
) -> None:
    page.set_viewport_size(PHONE)
    open_run(page, server, trained)
    legend = page.get_by_role("region", name="Layers over time").locator(".legend")
    assert legend.evaluate("(it) => it.offsetHeight < 2 * it.firstChild.offsetHeight")


def test_the_page_says_that_its_server_is_gone_and_comes_back_with_it(
    mortal_server: Server, context: BrowserContext
) -> None:
    page = context.new_page()  # what a browser says of a refused connection is no error of ours
    with hand_made(mortal_server.url, "restarted") as run:
        run.sample(10, nonfinite=0.0)
    open_run(page, mortal_server, "restarted")
    mortal_server.stop()
    expect(page.get_by_test_id("connection")).to_have_text("disconnected, trying again")
    expect(page.get_by_test_id("strip")).to_be_visible()

    mortal_server.start()
    expect(page.get_by_test_id("connection")).to_have_text("receiving")
    with hand_made(mortal_server.url, "restarted") as run:
        run.sample(10, nonfinite=0.0)
        for step in range(20, 100, 10):
            run.sample(step, nonfinite=1.0)
        expect(page.get_by_test_id("finding")).to_have_attribute("data-verdict", "nonfinite")


def test_a_training_that_was_interrupted_says_so(server: Server, page: Page) -> None:
    with hand_made(server.url, "stopped") as run:
        run.sample(10)
        run.end("interrupted")
    open_run(page, server, "stopped")
    status = page.get_by_role("definition").filter(has=page.get_by_test_id("status"))
    expect(status).to_have_text("ended, interrupted")


def test_the_step_in_the_header_is_said_to_be_the_last_sample_s(server: Server, page: Page) -> None:
    """The training may have gone on behind it."""
    with hand_made(server.url, "sampled") as run:
        run.sample(10)
        run.end()
    open_run(page, server, "sampled")
    sampled = page.locator("dl > div").filter(has_text="Last sample")
    expect(sampled.get_by_role("definition")).to_have_text("step 10")


def test_the_watch_sees_what_the_policy_refuses(
    server: Server, context: BrowserContext, watch: Watch
) -> None:
    page = context.new_page()
    watch.follow(page)
    page.goto(server.url)
    page.evaluate("fetch('http://example.invalid/').catch(() => 0)")
    page.evaluate(
        "document.body.append(Object.assign(new Image(), {src: 'http://example.invalid/a.png'}))"
    )
    page.wait_for_timeout(200)
    assert any("Content Security Policy" in error for error in watch.errors)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("path", ["/", "/runs/trained", "/no/such/page"])
def test_everyone_can_use_the_page(
    server: Server, trained: str, page: Page, path: str, scheme: Literal["dark", "light"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(server.url + path)
    if path == "/no/such/page":
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    elif path == "/":
        expect(page.locator(f"[data-testid=run-link][href='/runs/{trained}']")).to_be_visible()
    else:
        page.get_by_test_id("series").scroll_into_view_if_needed()
        expect(page.get_by_test_id("series").locator("canvas")).to_be_visible()
    assert violations(page) == []
