"""Names from models are harmless wherever they are shown; the page's tests are in tests/e2e."""

import unicodedata
from collections.abc import Iterator

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.names import NAMES
from typer.testing import CliRunner

from gainstage import wire
from gainstage.cli import app
from gainstage_server.settings import Settings

from .conftest import Running, running
from .test_hostile import packed, unpacked
from .trainer import Trainer, send

# What no terminal may be sent: controls, formats, half pairs, breaks that are not seen as such.
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A live run for each name: its layer with a finding, its project, tag and log have it."""
    database = tmp_path_factory.mktemp("names") / "names.db"
    with running(Settings(database=str(database), disk_floor=0, lost_after=1e6)) as it:
        for index, name in enumerate(NAMES.values()):
            trainer = Trainer(run=f"run{index}", project=name)
            start = trainer.run_start(tags=(name,), config={name: name})
            schema = trainer.schema_message()
            rows = tuple(
                msgspec.structs.replace(row, path=name if row.id == "row1" else row.path)
                for row in schema.rows
            )
            opening = [start, wire.encode(msgspec.structs.replace(schema, rows=rows))]
            frames = [trainer.loud(10 * step) for step in range(4)]
            assert send(it.ws, [*opening, *frames, trainer.notice(text=name)]) == []
        yield it


def run_of(name: str) -> str:
    return f"run{list(NAMES).index(name)}"


def unseen(text: str) -> set[str]:
    return {one for one in text if unicodedata.category(one) in UNSEEN} - {"\n"}


@pytest.mark.parametrize("name", NAMES)
def test_the_interface_hands_a_name_on_as_it_is_and_as_data(server: Running, name: str) -> None:
    run = f"/api/v1/runs/{run_of(name)}"

    layers, findings = server.get(f"{run}/layers"), server.get(f"{run}/findings")

    assert layers.json()["rows"][1]["path"] == NAMES[name]
    assert [finding["layer"] for finding in findings.json()["findings"]] == [NAMES[name]]
    for answer in (layers, findings):
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_is_found_by_its_name(server: Running, name: str) -> None:
    url = httpx.URL(f"{server.url}/api/v1/runs/{run_of(name)}/series")
    query = {"layer": NAMES[name], "statistic": "pre_db"}

    assert httpx.get(url, params=query).json()["row"] == "row1"


@pytest.mark.parametrize("name", NAMES)
def test_prometheus_reads_a_name_as_one_label(server: Running, name: str) -> None:
    text = server.get("/metrics").text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    of_run = [sample for sample in samples if sample.labels.get("run") == run_of(name)]

    assert {sample.labels["project"] for sample in of_run} == {NAMES[name]}
    layers = [sample.labels["layer"] for sample in of_run if "layer" in sample.labels]
    assert layers == [NAMES[name]]
    assert [sample.value for sample in samples if sample.name == "gainstage_trainers"] == [0]


@pytest.mark.parametrize("command", ["runs", "show", "report", "check"])
@pytest.mark.parametrize("name", NAMES)
def test_a_terminal_is_sent_nothing_that_it_would_obey(
    server: Running, name: str, command: str
) -> None:
    arguments = [command] if command == "runs" else [command, run_of(name)]

    printed = CliRunner().invoke(app, [*arguments, "--url", server.url])

    assert (printed.exit_code, unseen(printed.output)) == (int(command == "check"), set())
    lines = [line.strip() for line in printed.output.splitlines()]
    assert "No such finding is open." not in lines


@pytest.mark.parametrize("name", NAMES)
def test_an_error_shows_a_name_without_what_a_terminal_would_obey(
    server: Running, name: str
) -> None:
    printed = CliRunner().invoke(app, ["show", NAMES[name], "--url", server.url])

    assert (printed.exit_code, unseen(printed.output)) == (2, set())


@pytest.mark.parametrize("name", [name for name, text in NAMES.items() if text != "x"])
def test_a_run_of_such_a_name_is_refused_and_logged_nowhere(
    server: Running, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    helper = Trainer(run="helper", attempt=f"a{list(NAMES).index(name)}")
    hostile = Trainer(run=NAMES[name], attempt=NAMES[name])

    (refused,) = send(server.ws, [hostile.run_start(), helper.run_start()])

    assert "has 1 to 128 of the characters" in refused.reason
    assert not any(unseen(record.getMessage()) for record in caplog.records)


def test_a_name_that_is_no_text_is_refused(server: Running) -> None:
    header, body = unpacked(Trainer(run="r").run_start())
    # The first byte of two, and half a pair of surrogates: no UTF-8, either of them.
    raw = [msgspec.Raw(b"\xa1\xc3"), msgspec.Raw(b"\xa3\xed\xa0\x80")]
    helper = Trainer(run="helper", attempt="text")
    broken = [packed(header | {"project": project}, body) for project in raw]

    refused = send(server.ws, [*broken, helper.run_start()])

    assert len(refused) == 2
    assert server.service.runs.get("r") is None
