"""The page of a run's trials in a real browser, with a real trial and with ones made by hand."""

from typing import Literal

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from gainstage.outcome import Contestant, Trial

from .conftest import Server, violations
from .trainers import hand_made, remedy

expect.set_options(timeout=30_000)

PHONE = {"width": 375, "height": 667}


@pytest.fixture(scope="module")
def tried(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a run with a trial of its hidden layer."""
    with hand_made(server.url, "tried", "sequential/hidden") as run:
        run.sample(10, nonfinite=0.0)
    remedy("trial", server.url, "tried", tmp_path_factory.mktemp("tried"))
    return "tried"


def open_trials(page: Page, server: Server, run: str) -> None:
    page.goto(f"{server.url}/runs/{run}/trials")
    expect(page.get_by_test_id("connection")).to_have_text("receiving")


def a_trial(*, interrupted: bool = False) -> Trial:
    """Two arms; the one that is not "nothing" diverges."""
    outcomes = np.array([[[[2.0], [1.0]]], [[[2.0], [np.nan]]]], np.float32)
    arms = (Contestant("nothing"), Contestant("kernel", 0.01))
    return Trial("dense", arms, (0,), (0, 10), ("loss",), outcomes, interrupted)


def a_trial_of(losses: dict[str, tuple[float, ...]]) -> Trial:
    """Arms by their final losses, one for each seed."""
    outcomes = np.array([[[[4.0], [loss]] for loss in arm] for arm in losses.values()], np.float32)
    arms = tuple(Contestant(arm, None if arm == "nothing" else 1.7e-6) for arm in losses)
    return Trial("dense", arms, (0, 1, 2), (0, 10), ("loss",), outcomes)


def test_a_run_without_trials_says_how_one_is_run_and_shows_the_first_at_once(
    server: Server, page: Page
) -> None:
    with hand_made(server.url, "untried") as run:
        run.sample(10, nonfinite=0.0)
        open_trials(page, server, "untried")
        expect(page.get_by_role("heading", name="No trial of this run yet")).to_be_visible()
        command = "gainstage trial model.keras data.npz --run untried --layer model/dense --url "
        expect(page.get_by_text(command + server.url)).to_be_visible()

        run.trial(a_trial(interrupted=True))
        trial = page.get_by_test_id("trial")
        expect(trial).to_contain_text("stopped early")
        expect(trial.get_by_role("link", name="model/dense")).to_have_attribute(
            "href", "/runs/untried/layers/row0"
        )
        lost = trial.get_by_test_id("course").filter(has_text="kernel L2(0.01)")
        expect(lost).to_contain_text("✕ diverged")


def test_contestants_stand_in_their_order_and_two_seeds_make_none_the_best(
    server: Server, tried: str, page: Page
) -> None:
    open_trials(page, server, tried)
    answer = page.request.get(f"{server.url}/api/v1/runs/{tried}/trials").json()["trials"][0]
    ranks = [one["rank"] for one in answer["contestants"]]
    trial = page.get_by_test_id("trial")
    expect(trial.get_by_role("heading", level=3)).to_have_text(answer["summary"])
    courses = trial.get_by_test_id("course")
    expect(courses).to_have_count(2)
    best = answer["contestants"][ranks.index(0)]["arm"]
    expect(courses.first).to_contain_text(best)
    expect(courses.first).to_contain_text("too few seeds to tell")
    expect(trial.get_by_text("★ best", exact=True)).to_have_count(0)

    trial.get_by_text("1 strength that did worse").click()
    expect(courses).to_have_count(3)


def test_only_what_every_seed_says_is_called_the_best(server: Server, page: Page) -> None:
    with hand_made(server.url, "seeded") as run:
        run.sample(10, nonfinite=0.0)
        run.trial(a_trial_of({"nothing": (3.0, 3.0, 3.0), "kernel": (1.0, 1.0, 2.0)}))
        run.trial(a_trial_of({"nothing": (3.0, 3.0, 3.0), "kernel": (1.0, 1.0, 3.1)}))
    open_trials(page, server, "seeded")
    page.get_by_role("button", name="Show the courses").click()
    alike, told = page.get_by_test_id("trial").all()
    expect(told.get_by_test_id("course").first).to_contain_text("★ best")
    expect(told.get_by_role("rowheader").first).to_have_text("★ kernel L2(1.7e-06)")
    expect(alike.get_by_text("★ best", exact=True)).to_have_count(0)
    courses = alike.get_by_test_id("course")
    expect(courses.first).to_contain_text("≈ first, but not told apart")
    expect(courses.last).to_contain_text("≈ not told apart from the first")


def test_the_keyboard_reads_every_step(server: Server, tried: str, page: Page) -> None:
    open_trials(page, server, tried)
    reading = page.get_by_role("slider", name="Read at step")
    reading.focus()
    reading.press("Home")
    expect(page.locator("output")).to_have_text("0")
    course = page.get_by_test_id("course").filter(has_text="nothing")
    answer = page.request.get(f"{server.url}/api/v1/runs/{tried}/trials").json()["trials"][0]
    nothing = next(one for one in answer["contestants"] if one["arm"] == "nothing")
    mean = np.mean([seed[0] for seed in nothing["outcomes"]["accuracy"]])
    expect(course).to_contain_text(f"{mean:.3f}".rstrip("0"))
    reading.press("End")
    expect(page.locator("output")).to_have_text("20")
    expect(page.get_by_role("region", name="Trial of hidden as a table")).to_contain_text(
        "Means at step 20"
    )


def test_the_column_is_kept_in_the_address(server: Server, tried: str, page: Page) -> None:
    open_trials(page, server, tried)
    page.get_by_role("combobox").select_option("pre_db")
    expect(page).to_have_url(f"{server.url}/runs/{tried}/trials?column=pre_db")
    page.reload()
    expect(page.get_by_role("combobox")).to_have_value("pre_db")
    expect(page.get_by_test_id("course").first).to_contain_text("dB")


def test_a_phone_scrolls_only_up_and_down(server: Server, tried: str, page: Page) -> None:
    page.set_viewport_size(PHONE)
    open_trials(page, server, tried)
    expect(page.get_by_test_id("course").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_everyone_can_use_the_page(
    server: Server, tried: str, page: Page, scheme: Literal["dark", "light"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    open_trials(page, server, tried)
    page.get_by_text("that did worse").click()
    expect(page.get_by_test_id("course")).to_have_count(3)
    assert violations(page) == []
