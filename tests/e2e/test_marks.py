"""What a person says of a finding, in a real browser: that it is known, or that it is muted."""

from playwright.sync_api import BrowserContext, Locator, Page, expect

from .conftest import Server, violations
from .trainers import hand_made

expect.set_options(timeout=30_000)


def found(server: Server, run: str, *, token: str = "") -> None:
    """A run that is over, with one critical finding."""
    with hand_made(server.url, run, token=token) as trainer:
        for step in range(10, 100, 10):
            trainer.sample(step, nonfinite=1.0)
        trainer.end()


def mark_of(page: Page, server: Server, run: str) -> Locator:
    page.goto(f"{server.url}/runs/{run}")
    finding = page.get_by_test_id("finding")
    expect(finding).to_have_attribute("data-verdict", "nonfinite")
    return finding.get_by_test_id("mark")


def button(mark: Locator, name: str) -> Locator:
    return mark.get_by_role("button", name=name, exact=True)


def test_a_finding_is_acknowledged_by_keyboard_and_the_mark_is_taken_back(
    server: Server, page: Page
) -> None:
    found(server, "known")
    mark = mark_of(page, server, "known")
    button(mark, "Acknowledge").press("Enter")
    expect(mark).to_have_attribute("data-state", "acknowledged")
    expect(mark).to_contain_text("Acknowledged")
    expect(page).to_have_title("▲ 1 · Desk · known · Gainstage")  # it still counts

    button(mark, "Take back").press("Enter")
    expect(mark).to_have_attribute("data-state", "")
    expect(button(mark, "Acknowledge")).to_be_visible()


def test_a_muted_finding_no_longer_counts_on_any_page_that_is_open(
    server: Server, page: Page, context: BrowserContext
) -> None:
    found(server, "muted")
    mark, other = mark_of(page, server, "muted"), context.new_page()
    seen = mark_of(other, server, "muted")
    expect(other.get_by_test_id("connection")).to_have_text("receiving")
    button(mark, "Mute").click()
    for one in (mark, seen):
        expect(one).to_have_attribute("data-state", "muted")
    for one in (page, other):
        expect(one).to_have_title("Desk · muted · Gainstage")
    expect(page.get_by_text("Nothing but what is muted.")).to_be_visible()

    other.get_by_text("1 finding that is muted").click()
    button(seen, "Unmute").click()
    for one in (mark, seen):
        expect(one).to_have_attribute("data-state", "")
    expect(page).to_have_title("▲ 1 · Desk · muted · Gainstage")


def test_a_mark_asks_for_the_admin_token_once_and_says_that_one_is_wrong(
    guarded: Server, context: BrowserContext
) -> None:
    found(guarded, "guarded", token="hands")
    page = context.new_page()  # what a browser says of a refusal is no error of ours
    page.goto(guarded.url)
    page.get_by_label("Read token").fill("eyes")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("run-link")).to_be_visible()
    mark = mark_of(page, guarded, "guarded")
    form = page.get_by_test_id("admin-form")
    expect(form).to_have_count(0)
    button(mark, "Acknowledge").click()
    expect(form.get_by_label("Admin token")).to_be_focused()
    assert violations(page) == []
    page.keyboard.type("guess")
    page.keyboard.press("Enter")
    expect(form.get_by_role("alert")).to_have_text("That is not this server's admin token.")
    expect(mark).to_have_attribute("data-state", "")

    page.keyboard.type("all")
    page.keyboard.press("Enter")
    expect(mark).to_have_attribute("data-state", "acknowledged")
    expect(form).to_have_count(0)
    button(mark, "Mute").click()
    expect(mark).to_have_attribute("data-state", "muted")
    expect(form).to_have_count(0)
    assert "all" not in page.url
