"""The desk of a run: its history, zoomed and pointed at, by pointer and by keyboard."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import Server
from .test_page import open_run


@pytest.fixture
def picture(server: Server, trained: str, page: Page) -> Locator:
    """The heatmap of a trained run, which takes the pointer and the keyboard."""
    open_run(page, server, trained)
    frame = page.get_by_test_id("heatmap-frame")
    frame.scroll_into_view_if_needed()
    return frame


def drag(page: Page, over: Locator, begin: float, end: float) -> None:
    """Drags from one share of the width to another."""
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + begin * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], box["y"] + 25, steps=4)
    page.mouse.up()


def shown_steps(picture: Locator) -> tuple[int, int]:
    label = picture.get_attribute("aria-label") or ""
    found = re.search(r"over steps ([\d,]+) to ([\d,]+)", label)
    assert found is not None, label
    return int(found[1].replace(",", "")), int(found[2].replace(",", ""))


def expect_steps(picture: Locator, first: int, last: int) -> None:
    """The picture is drawn anew once the server has answered."""
    expect(picture).to_have_attribute(
        "aria-label", re.compile(f"over steps {first:,} to {last:,}\\b")
    )


def test_dragging_over_the_picture_zooms_and_the_address_keeps_it(
    picture: Locator, page: Page
) -> None:
    first, last = shown_steps(picture)
    drag(page, picture, 0.5, 0.7)
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+"))
    expect(page.get_by_test_id("show-all")).to_be_visible()
    begin, end = shown_steps(picture)
    assert first < begin < end < last
    page.reload()
    expect(page.get_by_test_id("show-all")).to_be_visible()
    expect_steps(picture, begin, end)
    page.get_by_test_id("show-all").click()
    expect(page).not_to_have_url(re.compile("from="))
    expect(page.get_by_test_id("show-all")).not_to_be_visible()
    expect_steps(picture, first, last)


def test_the_keyboard_reads_the_picture_and_zooms_it(picture: Locator, page: Page) -> None:
    picture.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_text(re.compile(r"sequential/classes, step 11: .*dB"))).to_be_attached()
    first, last = shown_steps(picture)
    page.keyboard.press("+")
    expect(page.get_by_test_id("show-all")).to_be_visible()
    begin, end = shown_steps(picture)
    assert first <= begin < 11 < end < last
    assert end - begin == round((last - first) / 2)
    page.keyboard.press("0")
    expect(page.get_by_test_id("show-all")).not_to_be_visible()


def test_a_layer_pointed_at_in_the_picture_is_pointed_at_on_the_console(
    picture: Locator, page: Page
) -> None:
    strip = page.locator("[data-testid=strip][data-layer='sequential/classes']")
    expect(strip).not_to_have_class(re.compile("pointed"))
    picture.hover(position={"x": 400, "y": 42})
    expect(strip).to_have_class(re.compile("pointed"))
    page.mouse.move(5, 5)
    expect(strip).not_to_have_class(re.compile("pointed"))


def test_the_keyboard_chooses_a_layer_on_the_console_and_opens_it(
    server: Server, trained: str, page: Page
) -> None:
    open_run(page, server, trained)
    page.get_by_role("listbox").focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("series")).to_have_attribute("data-layer", "sequential/classes")
    page.keyboard.press("p")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("series")).to_have_attribute("data-layer", "sequential/hidden")
    page.keyboard.press("-")
    expect(page).to_have_url(re.compile("strips=0"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/layers/"))
