"""Names that come from models are text on every page, whatever is in them."""

from collections.abc import Iterator

import msgspec
import pytest
from playwright.sync_api import Page, expect
from tests.names import NAMES

from gainstage import wire

from .conftest import Server
from .trainers import hand_made

expect.set_options(timeout=30_000)

ROWS = tuple(
    wire.Row(
        id=f"row{place}",
        path=name,
        kind="Dense",
        kernel_shape=(64, 64),
        fan_in=64.0,
        activation="sigmoid",
        fused=True,
    )
    for place, name in enumerate(NAMES.values())
)
# Of a layer whose weights line up with its inputs.
LOUD = {
    "input_db": -5.0,
    "gain_db": 3.0,
    "coherence_db": 32.0,
    "pre_db": 40.0,
    "bias_db": -40.0,
    "saturation_rate": 1.0,
    "saturated_units": 1.0,
}
FORGED = "img, a[href^='javascript'], [onerror], main script"


@pytest.fixture(scope="module")
def hostile(server: Server) -> str:
    """A run of which everything that a person may name is named so, with a finding for each row."""
    names = tuple(NAMES.values())
    said = {"tags": names, "config": {name: name for name in names}}
    with hand_made(server.url, "hostile", rows=ROWS, columns=tuple(LOUD), **said) as run:
        for step in range(10, 100, 10):
            run.frame(step, [*LOUD.values()], **{name: float(step) for name in names})
        run.end()
    return "hostile"


@pytest.fixture
def harmless(page: Page) -> Iterator[Page]:
    """What a page shows does nothing, and makes it no wider; `page` sees errors and dialogs."""
    yield page
    assert page.evaluate("window.hit") is None
    assert page.locator(FORGED).count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("path", ["/", "/runs/hostile", "/runs/hostile/graph"])
@pytest.mark.parametrize("width", [1440, 375])
def test_names_are_text_on_every_page(
    server: Server, hostile: str, harmless: Page, path: str, width: int
) -> None:
    harmless.set_viewport_size({"width": width, "height": 900})
    harmless.goto(f"{server.url}{path}")
    harmless.wait_for_function(
        "(name) => document.body.textContent.includes(name)", arg=NAMES["a script"]
    )


def test_names_that_come_while_the_page_is_open_are_text(server: Server, harmless: Page) -> None:
    name = NAMES["an image"]
    row = msgspec.structs.replace(ROWS[0], path=name)
    with hand_made(server.url, "coming", rows=[row], columns=tuple(LOUD)) as run:
        harmless.goto(f"{server.url}/runs/coming")
        expect(harmless.get_by_test_id("connection")).to_have_text("receiving")
        for step in range(10, 60, 10):
            run.frame(step, [*LOUD.values()])
        expect(harmless.get_by_test_id("finding")).to_contain_text(name)
        expect(harmless.get_by_test_id("strip")).to_contain_text(name)
        expect(harmless.get_by_test_id("series")).to_contain_text(name)


def test_each_finding_and_row_has_its_name_letter_by_letter(
    server: Server, hostile: str, harmless: Page
) -> None:
    harmless.goto(f"{server.url}/runs/{hostile}")
    findings = harmless.get_by_test_id("finding")
    expect(findings).to_have_count(len(NAMES))
    named = findings.evaluate_all("(all) => all.map((one) => one.dataset.layer)")
    assert sorted(named) == sorted(NAMES.values())
    harmless.get_by_text("Show as a table").click()
    headers = harmless.get_by_role("rowheader")
    expect(headers.last).to_be_visible()
    written = headers.evaluate_all("(all) => all.map((one) => one.textContent)")
    assert {*NAMES.values()} <= {*written}


@pytest.mark.parametrize("row", ROWS, ids=list(NAMES))
def test_each_layer_has_a_page(server: Server, hostile: str, harmless: Page, row: wire.Row) -> None:
    harmless.goto(f"{server.url}/runs/{hostile}/layers/{row.id}")
    expect(harmless.get_by_test_id("layer")).to_have_attribute("data-layer", row.path)
