"""The benchmark of a scrape in its short form: that it measures what it says."""

import json

import pytest
from benchmarks import scrape

from gainstage.exposition import LAYERS_SHOWN


def test_scrape_of_runs_with_findings_is_measured_while_frames_are_stored(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scrape.main(["--short", "--json"])
    found = json.loads(capsys.readouterr().out)

    assert found["runs"] == 50
    # Per run: a series for each layer that is shown, and some for the run.
    assert 50 * (LAYERS_SHOWN + 10) < found["series"] < 50 * 80
    assert found["text_ms"] < found["library_ms"]
    for median, high in (found[f"{how}_ms"] for how in ("alone", "every_15_s", "meanwhile")):
        assert 0 < median <= high
