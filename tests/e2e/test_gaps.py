"""What a page missed of a run, it fetches: its histories hold the steps that are stored."""

import json
import re
import urllib.request
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, WebSocket, expect

from gainstage import wire

from .conftest import Server, serving
from .test_page import open_run
from .trainers import hand_made

COLUMNS = ("pre_db", "dead_units", "nonfinite_rate")


class Told:
    """The messages that a page is sent by the live feed."""

    def __init__(self, page: Page) -> None:
        self.messages: list[wire.AnyMessage] = []
        page.on("websocket", self._follow)

    def _follow(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda data: self.messages.append(wire.decode(data)[0]))

    @property
    def steps(self) -> set[int]:
        return {message.step for message in self.messages if isinstance(message, wire.Frame)}

    @property
    def skipped(self) -> int:
        return sum(one.frames for one in self.messages if isinstance(one, wire.Skipped))


def stored_steps(server: Server, run: str) -> list[int]:
    query = "layer=row0&statistic=pre_db&points=1000"
    with urllib.request.urlopen(f"{server.url}/api/v1/runs/{run}/series?{query}") as answer:
        return json.load(answer)["steps"]


def heatmap_steps(page: Page, count: int) -> list[int]:
    """Read from left to right with the keyboard."""
    page.get_by_test_id("heatmap-frame").focus()
    page.keyboard.press("Home")
    said = page.locator("[aria-live=polite]", has_text=re.compile(r"model/dense, step "))
    steps = []
    for _ in range(count):
        found = re.search(r"step ([\d,]+):", said.first.inner_text())
        assert found is not None
        steps.append(int(found[1].replace(",", "")))
        page.keyboard.press("ArrowRight")
    return steps


def expect_points(page: Page, count: int) -> None:
    expect(page.get_by_label(re.compile(f"over {count} points")).first).to_be_attached()


def test_what_was_stored_while_the_page_was_away_is_in_its_histories(
    mortal_server: Server, context: BrowserContext
) -> None:
    page = context.new_page()  # what a browser says of a refused connection is no error of ours
    told = Told(page)
    with hand_made(mortal_server.url, "cut", columns=COLUMNS) as run:
        for step in range(5):
            run.frame(step, [step, 0, 0])
        open_run(page, mortal_server, "cut")
        page.get_by_test_id("series").scroll_into_view_if_needed()
        expect_points(page, 5)
        for step in range(5, 8):
            run.frame(step, [step, 0, 0])
        expect_points(page, 8)
    mortal_server.stop()
    expect(page.get_by_test_id("connection")).to_have_text("disconnected, trying again")
    mortal_server.start()
    with hand_made(mortal_server.url, "cut", columns=COLUMNS) as run:
        for step in range(14):
            run.frame(step, [step, 0, 0])
        expect(page.get_by_test_id("connection")).to_have_text("receiving")
        for step in range(14, 16):
            run.frame(step, [step, 0, 0])
        expect_points(page, 16)
        stored = stored_steps(mortal_server, "cut")
        assert heatmap_steps(page, 16) == stored == list(range(16))
    assert not told.steps.issuperset(stored)


def test_what_a_slow_page_was_not_sent_is_in_its_histories(
    tmp_path: Path, context: BrowserContext
) -> None:
    with serving(tmp_path, viewer_frames="1") as server:
        page = context.new_page()
        told = Told(page)
        with hand_made(server.url, "slow", columns=COLUMNS) as run:
            run.frame(0, [0, 0, 0])
            open_run(page, server, "slow")
            page.get_by_test_id("series").scroll_into_view_if_needed()
            expect_points(page, 1)
            run.burst(range(1, 100), [0, 0, 0])
            expect_points(page, 100)
            stored = stored_steps(server, "slow")
            assert heatmap_steps(page, 100) == stored == list(range(100))
        assert told.skipped > 0
        assert not told.steps.issuperset(stored)


def test_a_statistic_that_is_chosen_later_has_its_past_and_goes_on(
    server: Server, page: Page
) -> None:
    with hand_made(server.url, "chosen", columns=COLUMNS) as run:
        for step in range(6):
            run.frame(step, [step, 0.25, 0])
        open_run(page, server, "chosen")
        page.get_by_role("combobox", name="Statistic").select_option("dead_units")
        expect(page.get_by_test_id("heatmap-frame")).to_have_attribute(
            "aria-label", re.compile("dead units", re.IGNORECASE)
        )
        for step in range(6, 9):
            run.frame(step, [step, 0.25, 0])
        expect(page.get_by_test_id("heatmap-frame")).to_have_attribute(
            "aria-label", re.compile("over steps 0 to 8")
        )
        assert heatmap_steps(page, 9) == list(range(9))
        said = page.locator("[aria-live=polite]", has_text="model/dense, step 8: ")
        expect(said).to_have_text(re.compile("25"))
