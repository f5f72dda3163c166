"""The HTTP interface, over a real server; every answer fits the model that OpenAPI shows."""

import dataclasses
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from gainstage import diagnosis, wire
from gainstage.cli import app
from gainstage.finding import Alternative, Effect, Evidence, Finding
from gainstage.statistics import STATISTICS, Statistic
from gainstage.workers import BESIDE
from gainstage_server import api, messages, models, openapi
from gainstage_server.ops.alerts import finding_page, page_url
from gainstage_server.settings import Settings
from gainstage_server.views import number, numbers, plain

from .conftest import Running, running
from .trainer import Trainer, send

RUN = "/api/v1/runs/canonical"


def filled(server: Running) -> Running:
    """The server with one run that has a finding, and one healthy run of another project."""
    trainer = Trainer()
    opening, frames = trainer.opening(), [trainer.loud(10 * index) for index in range(5)]
    assert send(server.ws, [*opening, *frames, trainer.notice()]) == []
    other = Trainer(run="other", project="vision", time=5_000.0)
    send(server.ws, [*other.opening(), other.quiet(3), other.run_end(frames=1)])
    beside = Trainer(attempt="trial", worker=BESIDE, time=6_000.0)
    outcomes = [[[[0.25, np.nan]]], [[[0.75, 2.0]]]]
    assert send(server.ws, [beside.run_start(), beside.trial(outcomes), beside.run_end()]) == []
    return server


@pytest.fixture
def canonical(server: Running) -> Running:
    return filled(server)


@pytest.fixture(scope="module")
def answering(opened_file: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The same for all tests to which its age makes no difference."""
    database = shutil.copy(opened_file, tmp_path_factory.mktemp("answering"))
    with running(Settings(database=str(database), disk_floor=0)) as server:
        yield filled(server)


ANSWERS = {
    "/api/v1/runs": models.Runs,
    RUN: models.Run,
    f"{RUN}/layers": models.Layers,
    f"{RUN}/series?layer=dense_1&statistic=pre_db&statistic=bias_db": models.Series,
    f"{RUN}/series?layer=row1&statistic=pre_db&from=10&to=20&points=1": models.Series,
    f"{RUN}/heatmap?statistic=pre_db&points=2": models.Heatmap,
    f"{RUN}/logs": models.Logs,
    f"{RUN}/findings": models.Findings,
    f"{RUN}/trials": models.Trials,
    "/api/v1/rules": models.Rules,
    "/api/v1/statistics": models.Statistics,
    "/api/v1/activations": models.Activations,
    "/healthz": models.Health,
    "/readyz": models.Health,
}


@pytest.mark.parametrize(("path", "model"), ANSWERS.items(), ids=ANSWERS.keys())
def test_every_answer_fits_its_model(answering: Running, path: str, model: type[BaseModel]) -> None:
    answer = answering.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    model.model_validate_json(answer.content, strict=True)


def test_a_field_that_the_model_does_not_know_would_be_noticed() -> None:
    with pytest.raises(ValueError, match="extra"):
        models.Health.model_validate_json('{"status": "ok", "more": 1}')


@pytest.mark.parametrize(
    ("model", "source", "added"),
    [
        (models.LayerRow, wire.Row, {"verdict", "headroom_db", "values"}),
        (models.TrainingModel, wire.Training, set()),
        (models.FindingModel, Finding, {"mark"}),
        (models.EvidenceModel, Evidence, set()),
        (models.EffectModel, Effect, set()),
        (models.AlternativeModel, Alternative, set()),
    ],
)
def test_models_have_the_fields_of_what_they_show(
    model: type[BaseModel], source: type[msgspec.Struct], added: set[str]
) -> None:
    assert set(model.model_fields) == set(source.__struct_fields__) | added


def test_show_prints_a_finding_with_what_is_expected_and_what_ranks_lower(
    canonical: Running,
) -> None:
    (found,) = canonical.get(f"{RUN}/findings").json()["findings"]

    shown = CliRunner().invoke(app, ["show", "canonical", "--url", canonical.url])

    text = " ".join(shown.stdout.split())
    change = found["effects"][0]["change"]
    first = found["alternatives"][0]["name"]
    assert f"Expected change: pre {change:+.0f} dB. Ranked lower: {first}" in text


def test_the_tables_are_those_of_the_library(canonical: Running) -> None:
    rules = canonical.get("/api/v1/rules").json()
    statistics = canonical.get("/api/v1/statistics").json()["statistics"]

    assert rules["version"] == diagnosis.RULES_VERSION
    assert [rule["verdict"] for rule in rules["rules"]] == [r.verdict for r in diagnosis.RULES]
    assert [Statistic(**shown) for shown in statistics] == list(STATISTICS)
    assert {field.name for field in dataclasses.fields(Statistic)} == set(statistics[0])


def test_every_rule_links_to_the_page_that_its_alert_links_to(server: Running) -> None:
    rules = server.get("/api/v1/rules").json()["rules"]

    pages = {rule["runbook"] for rule in rules}
    assert pages == {page_url(finding_page(rule)) for rule in diagnosis.RULES}
    assert all(rule["runbook"].endswith(f"/docs/findings.md#{rule['verdict']}") for rule in rules)


def test_runs_are_listed_newest_first_and_by_project_and_status(canonical: Running) -> None:
    def ids(query: str) -> list[str]:
        return [run["id"] for run in canonical.get(f"/api/v1/runs{query}").json()["runs"]]

    assert ids("") == ["other", "canonical"]
    assert ids("?project=digits") == ["canonical"]
    assert ids("?status=ended") == ["other"]
    assert ids("?project=digits&status=ended") == []


def test_a_run_shows_its_newest_figures(canonical: Running) -> None:
    run = canonical.get(RUN).json()

    assert run["verdicts"] == {"healthy": 2, "activity": 1}
    assert (run["findings_open"], run["worst_saturation"], run["step"]) == (1, 1.0, 40)
    assert run["logs"] == {"loss": 0.5}
    assert [notice["code"] for notice in run["notices"]] == ["probe-failed"]
    assert [attempt["frames"] for attempt in run["attempts"]] == [5, 0]


def test_trial_is_shown_with_its_ranking_and_leaves_the_run_as_it_was(canonical: Running) -> None:
    (trial,) = canonical.get(f"{RUN}/trials").json()["trials"]

    nothing, activity = trial["contestants"]
    assert (trial["layer"], trial["metric"], trial["steps"]) == ("dense_1", "accuracy", [0, 20, 40])
    assert trial["summary"].startswith("activity L2(0.01) came first for dense_1: accuracy 0.750")
    assert [(one["arm"], one["rank"], one["standing"]) for one in trial["contestants"]] == [
        ("nothing", 1, None),
        ("activity", 0, "few"),
    ]
    assert activity["outcomes"]["loss"] == [[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]
    assert nothing["outcomes"]["loss"][0] == ["NaN", "NaN", "NaN"]
    run = canonical.get(RUN).json()
    assert (run["project"], run["status"], run["step"]) == ("digits", "live", 40)
    assert canonical.get("/api/v1/runs/other/trials").json() == {"trials": []}


def test_layers_show_verdict_headroom_and_values_with_null_for_what_is_absent(
    server: Running,
) -> None:
    trainer = Trainer(statistics=("pre_db", "bias_db"))
    mask = np.packbits([1, 0, 1, 1, 1, 1], bitorder="little").tobytes()
    columns = tuple(wire.Column(name, 1) for name in trainer.statistics)
    schema = trainer.run_start(), trainer.schema(blocks={"layers": wire.BlockSchema(columns, mask)})
    frame = trainer.frame(7, [[1.5, 9.0], [np.nan, np.inf], [-np.inf, 0.5]])
    send(server.ws, [*schema, frame])

    layers = server.get(f"{RUN}/layers").json()

    assert (layers["step"], layers["training"]["optimizer"]) == (7, "SGD")
    assert [row["values"] for row in layers["rows"]] == [
        {"pre_db": 1.5, "bias_db": None},
        {"pre_db": "NaN", "bias_db": "Infinity"},
        {"pre_db": "-Infinity", "bias_db": 0.5},
    ]
    assert layers["rows"][0]["headroom_db"] == pytest.approx(20 * math.log10(5.9864))
    assert layers["rows"][0]["path"] == "dense_0"


def test_before_the_first_frame_layers_have_names_but_no_values(server: Running) -> None:
    trainer = Trainer(statistics=("pre_db",))
    send(server.ws, [trainer.run_start()])
    nameless = server.get(f"{RUN}/layers").json()
    send(server.ws, [trainer.schema()])
    named = server.get(f"{RUN}/layers").json()

    assert nameless["rows"] == []
    assert [row["values"] for row in named["rows"]] == [{"pre_db": None}] * 3
    assert named["step"] is None


def test_series_say_what_they_are_a_downsample_of(canonical: Running) -> None:
    query = f"{RUN}/series?layer=dense_1&statistic=coherence_db"

    whole = canonical.get(query).json()
    coarse = canonical.get(f"{query}&points=2").json()

    assert whole["series"]["coherence_db"]["last"] == [32.0] * 5
    assert (whole["downsampled"], whole["steps"]) == (False, [0, 10, 20, 30, 40])
    assert (coarse["downsampled"], coarse["steps"]) == (True, [20, 40])
    assert (whole["frames"], coarse["frames"]) == ([1] * 5, [3, 2])
    assert coarse["series"]["coherence_db"]["mean"] == [32.0] * 2
    assert (coarse["from"], coarse["to"], coarse["row"], coarse["path"]) == (
        20,
        40,
        "row1",
        "dense_1",
    )


def test_the_binary_heatmap_says_the_same_as_the_one_in_json(canonical: Running) -> None:
    path = f"{RUN}/heatmap?statistic=pre_db&points=2"

    shown = canonical.get(path).json()
    binary = canonical.get(path, headers={"accept": "application/x-gainstage"})

    magic, version, size = wire.PREFIX.unpack_from(binary.content)
    header = msgspec.msgpack.decode(binary.content[8 : 8 + size])
    start = 8 + size + -(8 + size) % wire.ALIGNMENT
    assert (magic, version) == (wire.MAGIC, wire.VERSION)
    assert binary.headers["content-type"] == "application/x-gainstage"
    fields = ("run", "statistic", "rows", "steps", "frames", "downsampled")
    assert {key: header[key] for key in fields} == {key: shown[key] for key in fields}
    assert {block["name"] for block in header["blocks"]} == {"min", "max", "mean", "last"}
    assert header["present"] == [True] * 3
    for block in header["blocks"]:
        place = start + block["offset"]
        values = np.frombuffer(binary.content, "<f4", math.prod(block["shape"]), place)
        assert place % wire.ALIGNMENT == 0
        assert values.reshape(block["shape"]).tolist() == shown[block["name"]]


def test_a_heatmap_of_many_rows_has_fewer_points(
    canonical: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "MAX_CELLS", 7)

    shown = canonical.get(f"{RUN}/heatmap?statistic=pre_db").json()

    assert (len(shown["rows"]), len(shown["steps"]), shown["downsampled"]) == (3, 2, True)


def test_a_run_without_frames_has_an_empty_history(server: Running) -> None:
    send(server.ws, Trainer().opening())

    series = server.get(f"{RUN}/series?layer=dense_1&statistic=pre_db").json()
    heatmap = server.get(f"{RUN}/heatmap?statistic=pre_db").json()
    binary = server.get(
        f"{RUN}/heatmap?statistic=pre_db", headers={"accept": "application/x-gainstage"}
    )

    assert (series["steps"], series["from"], series["series"]["pre_db"]["max"]) == ([], None, [])
    assert (heatmap["rows"], heatmap["max"]) == (["row0", "row1", "row2"], [[], [], []])
    assert binary.status_code == 200


def test_findings_come_open_ones_first(canonical: Running) -> None:
    (found,) = canonical.get(f"{RUN}/findings").json()["findings"]

    assert (found["verdict"], found["layer"], found["closed_step"]) == ("activity", "dense_1", None)
    assert found["evidence"]["coherence_db"]["value"] == 32.0


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/api/v1/runs/nobody", "canonical"),
        ("/api/v1/runs/nobody/findings", "canonical"),
        (f"{RUN}/series?layer=dense_9&statistic=pre_db", "dense_0"),
        (f"{RUN}/series?layer=dense_1&statistic=loudness", "pre_db"),
        (f"{RUN}/heatmap?statistic=loudness", "pre_db"),
        ("/api/v2/runs", "/api/v1/openapi.json"),
    ],
)
def test_what_is_unknown_is_answered_with_what_is_known(
    answering: Running, path: str, named: str
) -> None:
    answer = answering.get(path)

    assert answer.status_code == 404
    assert named in answer.json()["detail"]


def test_a_series_of_a_run_without_a_schema_says_when_to_come_again(server: Running) -> None:
    send(server.ws, [Trainer().run_start()])

    answer = server.get(f"{RUN}/heatmap?statistic=pre_db")

    assert answer.status_code == 404
    assert "Ask again later" in answer.json()["detail"]


def test_the_list_of_known_names_is_short(server: Running) -> None:
    send(server.ws, Trainer(rows=60).opening())

    answer = server.get(f"{RUN}/series?layer=dense_99&statistic=pre_db")

    assert "dense_49 and 10 more" in answer.json()["detail"]


@pytest.mark.parametrize(
    "query",
    ["points=0", "points=5001", "from=-1", "to=x", "statistic=" + "&statistic=a" * 64],
)
def test_parameters_out_of_range_are_named_in_one_sentence(answering: Running, query: str) -> None:
    answer = answering.get(f"{RUN}/series?layer=dense_1&statistic=pre_db&{query}")

    assert answer.status_code == 422
    assert query.split("=", maxsplit=1)[0] in answer.json()["detail"]


def test_what_trainers_sent_cannot_be_changed_over_http(canonical: Running) -> None:
    for path in ("", "/layers", "/series", "/logs", "/findings", "/trials"):
        for method in ("POST", "PUT", "PATCH"):
            assert httpx.request(method, canonical.url + RUN + path).status_code == 405


def test_a_method_that_a_path_does_not_take_is_answered_with_those_it_does(server: Running) -> None:
    answer = httpx.patch(server.url + RUN)

    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET")
    assert answer.json() == {"detail": "This takes the methods DELETE, GET. Received: PATCH."}


def test_a_body_that_is_no_text_is_answered_like_any_other_that_cannot_be_read(
    server: Running,
) -> None:
    url = f"{server.url}{RUN}/findings/f/mark"
    headers = {"content-type": "application/json"}

    answers = [httpx.put(url, content=body, headers=headers) for body in (b"\xff", b"{")]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert "expected JSON in UTF-8" in answers[0].json()["detail"]


def test_the_checked_in_openapi_is_that_of_the_server(server: Running) -> None:
    assert openapi.FILE.read_text() == openapi.render(), (
        f"python -m gainstage_server.openapi > {Path(openapi.FILE).name}"
    )
    assert server.get("/api/v1/openapi.json").json()["paths"].keys() >= {"/api/v1/runs/{run}"}


def test_the_checked_in_messages_are_those_of_the_sockets(server: Running) -> None:
    assert messages.FILE.read_text() == messages.render(), (
        f"python -m gainstage_server.messages > {messages.FILE.name}"
    )
    shown = server.get("/api/v1/messages.json").json()
    assert set(shown["sockets"]) == {"/api/v1/ingest", "/api/v1/live"}
    assert set(shown["$defs"]) >= {"RunStart", "Frame", "Ack", "Refuse", "Subscribe"}


def test_numbers_that_json_does_not_know_are_text_and_absent_ones_null() -> None:
    values = np.float32([[1.5, np.nan], [np.inf, -np.inf]])

    assert numbers(values, np.array([[True, True], [True, False]])) == [
        [1.5, "NaN"],
        ["Infinity", None],
    ]
    assert list(map(number, (None, 0.5, -math.inf, math.nan))) == [None, 0.5, "-Infinity", "NaN"]
    assert plain({"a": [math.inf, (1, "x")], "b": True}) == {"a": ["Infinity", [1, "x"]], "b": True}
