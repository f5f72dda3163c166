"""The list of runs in a real browser: found, sorted, chosen, deleted, and only with a token."""

from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from .conftest import Server, violations
from .trainers import hand_made

expect.set_options(timeout=30_000)

PHONE = {"width": 375, "height": 667}
# One project for each test, so that they do not see each other's runs.
SPEECH = {"deep": ("adam",), "wide": ("adam", "seed-1"), "narrow": ()}


def ended(server: Server, run: str, step: int = 10, **start: object) -> None:
    """A run that is over after a sample at `step`."""
    with hand_made(server.url, run, **start) as trainer:
        trainer.sample(step, nonfinite=0.0)
        trainer.end()


def open_list(page: Page, server: Server, query: str = "") -> None:
    page.goto(f"{server.url}/{query}")
    expect(page.get_by_test_id("run-link").first).to_be_visible()


def names(page: Page) -> Locator:
    return page.get_by_test_id("run-link")


def box(page: Page, run: str) -> Locator:
    return page.get_by_role("checkbox", name=f"Choose {run}", exact=True)


@pytest.fixture(scope="module")
def listed(server: Server) -> Server:
    """Three ended runs of the project "speech", and a live one of another."""
    for place, (run, tags) in enumerate(SPEECH.items()):
        ended(server, run, 10 * (place + 1), project="speech", tags=tags)
    with hand_made(server.url, "elsewhere", project="vision", tags=("speechless",)):
        pass
    return server


def test_runs_are_found_by_name_project_and_tag_and_back_and_a_sent_link_find_them_again(
    listed: Server, page: Page
) -> None:
    open_list(page, listed)
    search = page.get_by_test_id("search")
    search.press_sequentially("speech")
    expect(names(page)).to_have_text(["elsewhere", "narrow", "wide", "deep"])
    search.press_sequentially(" ADAM")
    expect(names(page)).to_have_text(["wide", "deep"])
    page.get_by_test_id("filter-tag").select_option("seed-1")
    expect(names(page)).to_have_text(["wide"])
    sent = page.url

    names(page).first.click()
    expect(page).to_have_url(f"{listed.url}/runs/wide")
    page.go_back()
    expect(names(page)).to_have_text(["wide"])
    expect(search).to_have_value("speech ADAM")
    page.goto(sent)
    expect(names(page)).to_have_text(["wide"])
    expect(page.get_by_test_id("filter-tag")).to_have_value("seed-1")
    assert sent.endswith("/?search=speech+ADAM&tag=seed-1")


def test_where_no_run_fits_the_page_says_what_was_asked_and_leads_back(
    listed: Server, page: Page
) -> None:
    open_list(page, listed, "?project=speech&status=ended")
    page.get_by_test_id("search").fill("nothing like it")
    empty = page.get_by_test_id("none-fits")
    expect(empty).to_contain_text("No run fits")
    expect(empty).to_contain_text("nothing like it")
    expect(page.get_by_test_id("count")).to_contain_text("0 of ")

    empty.get_by_role("button", name="Show all runs").press("Enter")
    expect(page.get_by_role("link", name="elsewhere")).to_be_visible()
    expect(page).to_have_url(f"{listed.url}/")


def test_headings_sort_by_keyboard_and_say_so(listed: Server, page: Page) -> None:
    open_list(page, listed, "?project=speech")
    expect(names(page)).to_have_text(["narrow", "wide", "deep"])
    heading = page.get_by_role("columnheader", name="Last sample")
    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "descending")
    expect(names(page)).to_have_text(["narrow", "wide", "deep"])
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(names(page)).to_have_text(["deep", "wide", "narrow"])
    expect(page.locator("[aria-sort]")).to_have_count(1)
    assert page.url.endswith("/?project=speech&sort=step")


def test_two_runs_that_are_chosen_by_keyboard_can_be_compared(listed: Server, page: Page) -> None:
    open_list(page, listed, "?project=speech")
    chosen = page.get_by_test_id("chosen")
    box(page, "wide").press("Space")
    expect(chosen).to_contain_text("1 chosen")
    expect(chosen.get_by_role("link", name="Compare")).to_have_count(0)
    page.get_by_test_id("search").fill("deep")
    box(page, "deep").press("Space")
    compare = chosen.get_by_role("link", name="Compare")
    expect(compare).to_have_attribute("href", "/compare?run=wide&run=deep")
    chosen.get_by_role("button", name="Choose none").press("Enter")
    expect(chosen).to_have_count(0)


def test_a_long_list_comes_in_pages(server: Server, page: Page) -> None:
    for number in range(51):
        ended(server, f"long-{number}", project="long")
    open_list(page, server, "?project=long&sort=run")
    expect(names(page)).to_have_count(50)
    expect(page.get_by_test_id("part")).to_contain_text("1 to 50 of 51")
    page.get_by_role("button", name="Next").press("Enter")
    expect(names(page)).to_have_text(["long-9"])
    expect(page.get_by_role("heading", name="Runs")).to_be_focused()
    page.reload()
    expect(names(page)).to_have_text(["long-9"])
    page.get_by_test_id("search").fill("long-1")
    expect(names(page).first).to_have_text("long-1")


def test_a_run_is_deleted_by_keyboard_and_leaves_other_pages_too(
    server: Server, page: Page, context: BrowserContext
) -> None:
    for run in ("doomed", "kept"):
        ended(server, run, project="doom")
    open_list(page, server, "?project=doom")
    other = context.new_page()
    open_list(other, server, "?project=doom")
    expect(other.get_by_test_id("connection")).to_have_text("receiving")
    box(page, "doomed").press("Space")
    remove = page.get_by_role("button", name="Delete…")
    remove.press("Enter")
    dialog = page.get_by_role("dialog", name="Delete this run?")
    expect(dialog).to_contain_text("Its samples (1), findings, marks and trials are lost")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(remove).to_be_focused()

    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    page.keyboard.type("doomed")
    page.keyboard.press("Enter")
    expect(names(page)).to_have_text(["kept"])
    expect(page.get_by_role("heading", name="Runs")).to_be_focused()
    expect(page.get_by_test_id("chosen")).to_have_count(0)
    expect(names(other)).to_have_text(["kept"])
    assert page.request.get(f"{server.url}/api/v1/runs/doomed").status == 404


def test_a_live_run_is_kept_in_the_server_s_words(server: Server, context: BrowserContext) -> None:
    page = context.new_page()  # what a browser says of a refusal is no error of ours
    ended(server, "over", project="alive")
    with hand_made(server.url, "alive", project="alive") as trainer:
        trainer.sample(10, nonfinite=0.0)
        open_list(page, server, "?project=alive")
        for run in ("over", "alive"):
            box(page, run).check()
        page.get_by_role("button", name="Delete…").click()
        dialog = page.get_by_test_id("delete-dialog")
        dialog.get_by_role("textbox").fill("2 runs")
        dialog.get_by_role("button", name="Delete").click()
        expect(dialog.get_by_role("heading")).to_have_text("The server kept one run")
        expect(dialog.get_by_text("Run 'alive' is live.")).to_be_visible()
        expect(dialog.get_by_role("button", name="Close")).to_be_focused()
        page.keyboard.press("Enter")
    expect(names(page)).to_have_text(["alive"])
    expect(page.get_by_role("button", name="Delete…")).to_be_focused()


def test_the_page_asks_for_the_token_says_that_one_is_wrong_and_takes_the_right_one(
    guarded: Server, context: BrowserContext
) -> None:
    ended(guarded, "secret", token="hands")
    page = context.new_page()
    page.goto(guarded.url)
    expect(page.get_by_role("heading", name="This server asks for a token")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_label("Read token").fill("guess")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is not this server's token.")
    page.get_by_label("Read token").fill("eyes")
    page.keyboard.press("Enter")
    expect(names(page)).to_have_text(["secret"])
    expect(page.get_by_test_id("connection")).to_have_text("receiving")
    page.reload()
    expect(names(page)).to_have_text(["secret"])
    assert "eyes" not in page.url


def test_a_change_asks_for_the_admin_token_and_the_page_goes_on_reading(
    guarded: Server, context: BrowserContext
) -> None:
    ended(guarded, "secret", token="hands")
    page = context.new_page()
    page.goto(guarded.url)
    page.get_by_label("Read token").fill("eyes")
    page.keyboard.press("Enter")
    box(page, "secret").check()
    page.get_by_role("button", name="Delete…").click()
    page.keyboard.type("secret")
    page.keyboard.press("Enter")
    dialog = page.get_by_test_id("delete-dialog")
    token = dialog.get_by_label("Admin token")
    expect(token).to_be_focused()
    page.keyboard.type("guess")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("That is not this server's admin token.")
    expect(names(page)).to_have_text(["secret"])
    expect(token).to_be_focused()
    page.keyboard.type("all")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No run yet")).to_be_visible()


@pytest.mark.parametrize("state", ["chosen", "none-fits", "delete-dialog"])
def test_a_phone_scrolls_only_up_and_down(listed: Server, page: Page, state: str) -> None:
    page.set_viewport_size(PHONE)
    show(page, listed, state)
    expect(page.get_by_label("Order")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    right = page.get_by_test_id(state).evaluate("(it) => it.getBoundingClientRect().right")
    assert right <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("state", ["chosen", "none-fits", "delete-dialog"])
def test_everyone_can_use_the_list(
    listed: Server, page: Page, state: str, scheme: Literal["dark", "light"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    show(page, listed, state)
    assert violations(page) == []


def show(page: Page, server: Server, state: str) -> None:
    """Bring the list into one of its states."""
    open_list(page, server, "?project=speech")
    if state == "none-fits":
        page.get_by_test_id("search").fill("nothing like it")
    else:
        box(page, "wide").check()
    if state == "delete-dialog":
        page.get_by_role("button", name="Delete…").click()
    expect(page.get_by_test_id(state)).to_be_visible()


def test_who_signs_in_with_a_token_of_one_project_sees_its_runs_and_no_others(
    guarded: Server, context: BrowserContext
) -> None:
    ended(guarded, "ours", token="hands", project="speech")
    ended(guarded, "theirs", token="hands", project="vision")
    page = context.new_page()  # what a browser says of a refusal is no error of ours
    page.goto(guarded.url)
    page.get_by_label("Read token").fill(guarded.token("read", "speech"))
    page.keyboard.press("Enter")
    expect(names(page)).to_have_text(["ours"])
    expect(page.get_by_test_id("connection")).to_have_text("receiving")
    ended(guarded, "also-theirs", token="hands", project="vision")
    ended(guarded, "also-ours", token="hands", project="speech")
    expect(names(page)).to_have_text(["also-ours", "ours"])
    page.goto(f"{guarded.url}/runs/theirs")
    expect(page.get_by_role("alert")).to_contain_text("There is no run 'theirs'.")
    expect(page.get_by_role("alert")).not_to_contain_text("also-theirs")
