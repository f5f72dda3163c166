"""A run of several workers, and one that went on from an earlier step, in a real browser."""

import re

from playwright.sync_api import Locator, Page, expect

from .conftest import Server, violations
from .test_page import open_run
from .trainers import hand_made

expect.set_options(timeout=30_000)

COLUMNS = ("pre_db", "nonfinite_rate")
PHONE = {"width": 375, "height": 667}


def plot(page: Page) -> Locator:
    """The series of the chosen layer, once they are drawn."""
    drawn = page.get_by_test_id("series").get_by_role("img")
    drawn.scroll_into_view_if_needed()
    expect(page.get_by_test_id("series").locator("canvas")).to_be_visible()
    return drawn


def said_at_the_end(page: Page) -> Locator:
    plot(page).press("End")
    return page.get_by_test_id("series").locator("[aria-live=polite]")


def test_workers_stand_side_by_side_and_each_ones_series_can_be_looked_at(
    server: Server, page: Page
) -> None:
    with (
        hand_made(server.url, "together", columns=COLUMNS) as chief,
        hand_made(server.url, "together", columns=COLUMNS, attempt="b1", worker=1) as other,
        hand_made(server.url, "together", columns=COLUMNS, attempt="c1", worker=2) as slow,
    ):
        for step in range(0, 110, 10):
            chief.frame(step, [-3, 0])
        for step in range(5, 95, 10):
            other.frame(step, [-6, 0])
        for step in (0, 10):
            slow.frame(step, [-9, 0])
        open_run(page, server, "together")

        workers = page.get_by_test_id("workers")
        expect(workers.locator("[data-worker='0']")).to_contain_text("step 100")
        expect(workers.locator("[data-worker='1']")).to_contain_text("15 steps behind")
        lagging = workers.locator("[data-worker='2']")
        expect(lagging).to_contain_text("90 steps behind")
        expect(lagging.get_by_test_id("status")).to_have_text("behind")
        expect(workers.locator("[data-worker='1']").get_by_test_id("status")).to_have_text("live")

        expect(plot(page)).to_have_attribute("aria-label", re.compile("over 11 points"))
        expect(said_at_the_end(page)).to_contain_text("−3.0 dB")
        workers.get_by_role("button", name="Worker 1").click()
        expect(page.get_by_test_id("of-worker")).to_have_text("worker 1")
        expect(plot(page)).to_have_attribute("aria-label", re.compile("over 9 points"))
        expect(said_at_the_end(page)).to_contain_text("−6.0 dB")
        assert "worker=1" in page.url
        assert violations(page) == []

        workers.get_by_role("button", name="Chief").click()
        expect(plot(page)).to_have_attribute("aria-label", re.compile("over 11 points"))
        assert "worker" not in page.url


def test_run_of_one_worker_has_no_list_of_them(server: Server, page: Page) -> None:
    with hand_made(server.url, "alone", columns=COLUMNS) as run:
        run.frame(0, [-3, 0])
        open_run(page, server, "alone")
        plot(page)

        expect(page.get_by_test_id("workers")).to_have_count(0)
        expect(page.get_by_test_id("branches")).to_have_count(0)


def test_steps_that_were_abandoned_are_named_and_drawn_where_wanted(
    server: Server, page: Page
) -> None:
    with hand_made(server.url, "resumed", columns=COLUMNS) as first:
        for step in range(0, 50, 10):
            first.frame(step, [-3, 0], loss=1.0)
    with hand_made(server.url, "resumed", columns=COLUMNS, attempt="a2") as second:
        for step in range(20, 40, 10):
            second.frame(step, [-6, 0], loss=0.5)
        open_run(page, server, "resumed")

        branches = page.get_by_test_id("branches")
        expect(branches).to_contain_text(
            "Steps 20 to 40 were abandoned when the run went on from an earlier step."
        )
        expect(plot(page)).to_have_attribute("aria-label", re.compile("over 4 points"))
        expect(said_at_the_end(page)).not_to_contain_text("abandoned")
        branches.get_by_role("button", name="Show them").click()
        expect(branches).to_contain_text("dashed: attempt a1")
        expect(plot(page)).to_have_attribute("aria-label", re.compile("dashed, what was abandoned"))
        expect(said_at_the_end(page)).to_have_text(re.compile(r"^Step 40: abandoned: .*−3\.0\sdB"))
        plot(page).press("ArrowLeft")
        said = page.get_by_test_id("series").locator("[aria-live=polite]")
        expect(said).to_have_text(re.compile(r"^Step 30: .*−6\.0\sdB.*; abandoned: .*−3\.0\sdB"))
        assert violations(page) == []

        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        branches.get_by_role("button", name="Hide them").click()
        expect(said_at_the_end(page)).to_have_text(re.compile(r"^Step 30: "))

        page.get_by_test_id("training").get_by_role("heading", name="Training").click()
        expect(page.get_by_test_id("training")).to_contain_text("↩ Steps 20 to 40 were abandoned")
