"""The HTTP interface: runs, rows, series, findings, and the tables behind them."""

import dataclasses
import time
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, HTTPException, Query, Response

from gainstage import curves, diagnosis, wire
from gainstage.statistics import STATISTICS
from gainstage_server import messages, models, views
from gainstage_server.history import MAX_STEP, Cell, History, Window
from gainstage_server.layout import Layout
from gainstage_server.ops.alerts import finding_page, page_url
from gainstage_server.runs import Status
from gainstage_server.service import Service, service_of
from gainstage_server.store.records import RunRecord

MEDIA_TYPE = "application/x-gainstage"
KNOWN_SHOWN = 50  # names listed where a name is unknown
MAX_POINTS = 5_000
MAX_STATISTICS = 64
MAX_NOTICES = 200
MAX_TRIALS = 20
# Of a heatmap, whose rows are many; it takes 13 bytes each, and in JSON a hundred.
MAX_CELLS = 2**20

Responses = dict[int | str, dict[str, Any]]
PROBLEM: Responses = {404: {"model": models.Problem}}
PROBLEMS: Responses = {401: {"model": models.Problem}, 422: {"model": models.Problem}}
router = APIRouter(prefix="/api/v1", responses=PROBLEMS)

Served = Annotated[Service, Depends(service_of)]
OfLayer = Annotated[str, Query(description="A row's id or its path.")]
FromStep = Annotated[int, Query(alias="from", ge=0, le=MAX_STEP, description="First step.")]
ToStep = Annotated[int, Query(alias="to", ge=0, le=MAX_STEP, description="Last step.")]
Points = Annotated[int, Query(ge=1, le=MAX_POINTS, description="Most points of a series.")]


def answer(payload: dict[str, Any]) -> Response:
    """`payload` as JSON."""
    return Response(msgspec.json.encode(payload), media_type="application/json")


def unknown(what: str, received: str, known: list[str]) -> HTTPException:
    """What to say where there is no `what` named `received`."""
    shown = ", ".join(known[:KNOWN_SHOWN]) or "none"
    more = f" and {len(known) - KNOWN_SHOWN} more" if len(known) > KNOWN_SHOWN else ""
    return HTTPException(
        404,
        f"There is no {what} {received[:256]!r}. Known: {shown}{more}. "
        "Check the spelling; capitals matter.",
    )


def run_record(run: str, service: Served) -> RunRecord:
    """The run that a path names.

    Raises:
        HTTPException: 404, there is none.
    """
    record = service.runs.get(run)
    if record is None:
        raise unknown("run", run, [known.run for known in service.runs.all()])
    return record


Named = Annotated[RunRecord, Depends(run_record)]


def newest_layout(record: Named, service: Served) -> Layout:
    """The newest schema of the run that a path names.

    Raises:
        HTTPException: 404, the run has none.
    """
    schema = service.runs.newest(record.run).schema
    message = wire.decode(schema)[0] if schema else None
    if not isinstance(message, wire.Schema):
        raise HTTPException(
            404,
            f"Run {record.run!r} has not named its layers yet. Expected a schema, which comes "
            "with the first sampled step. Received none. Ask again later.",
        )
    return Layout.of(message)


Described = Annotated[Layout, Depends(newest_layout)]


def position_of(layer: str, layout: Layout) -> int:
    """Where the row stands that a query names.

    Raises:
        HTTPException: 404, there is none.
    """
    position = layout.position(layer)
    if position is None:
        raise unknown("layer", layer, [row.path for row in layout.schema.rows])
    return position


def _check_statistics(names: list[str], layout: Layout) -> None:
    for name in names:
        if name not in layout.places:
            raise unknown("statistic", name, list(layout.places))


@router.get("/runs", response_model=models.Runs)
def runs(service: Served, project: str | None = None, status: Status | None = None) -> Response:
    """All runs, newest first."""
    now = time.time()
    shown = [
        views.run_summary(record, service.runs, now)
        for record in service.runs.all()
        if project in (None, record.project) and status in (None, service.runs.status(record, now))
    ]
    return answer({"runs": shown})


@router.get("/runs/{run}", response_model=models.Run, responses=PROBLEM)
def run(record: Named, service: Served) -> Response:
    """One run, its notices and its attempts."""
    return answer(
        views.run_summary(record, service.runs, time.time())
        | {
            "judged": record.verdicts,
            "notices": views.notices(
                service.store.messages(record.run, "notice", newest=MAX_NOTICES)
            ),
            "attempts": list(map(views.attempt, service.store.attempts(record.run))),
        }
    )


@router.get("/runs/{run}/layers", response_model=models.Layers, responses=PROBLEM)
def layers(record: Named, service: Served) -> Response:
    """The newest values and verdict of every row."""
    return answer(views.layers(record, service.runs.newest(record.run)))


@router.get("/runs/{run}/series", response_model=models.Series, responses=PROBLEM)
def series(
    record: Named,
    service: Served,
    layout: Described,
    *,
    layer: OfLayer,
    statistic: Annotated[list[str], Query(min_length=1, max_length=MAX_STATISTICS)],
    first: FromStep = 0,
    last: ToStep = MAX_STEP,
    points: Points = 600,
) -> Response:
    """Statistics of one row over steps. Downsampled series keep every spike."""
    row = layout.schema.rows[position_of(layer, layout)]
    _check_statistics(statistic, layout)
    cells = [Cell(row.id, name) for name in statistic]
    buckets = History(service.store, record.run).read(cells, Window(first, last, points))
    return answer(views.series(record, row, statistic, buckets))


@router.get(
    "/runs/{run}/heatmap",
    response_model=models.Heatmap,
    responses={**PROBLEM, 200: {"content": {MEDIA_TYPE: {}}}},
)
def heatmap(
    record: Named,
    service: Served,
    layout: Described,
    *,
    statistic: str,
    first: FromStep = 0,
    last: ToStep = MAX_STEP,
    points: Points = 400,
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """One statistic of all rows over steps, as JSON or in the wire's binary framing.

    The more rows, the fewer points: rows times points are at most 1,048,576.
    """
    _check_statistics([statistic], layout)
    rows = list(layout.rows)
    cells = [Cell(row, statistic) for row in rows]
    points = min(points, max(1, MAX_CELLS // max(1, len(rows))))
    buckets = History(service.store, record.run).read(cells, Window(first, last, points))
    if MEDIA_TYPE in accept:
        data = views.heatmap_bytes(record, rows, statistic, buckets)
        return Response(data, media_type=MEDIA_TYPE)
    return answer(views.heatmap(record, rows, statistic, buckets))


@router.get("/runs/{run}/findings", response_model=models.Findings, responses=PROBLEM)
def findings(record: Named, service: Served) -> Response:
    """What is and was wrong with a run: open findings first, then the newest."""
    found = sorted(
        service.store.findings(record.run),
        key=lambda finding: (not finding.open, -finding.since_step),
    )
    marks = service.runs.marks(record.run)
    return answer({"findings": [views.finding(one, marks.get(one.id)) for one in found]})


@router.get("/runs/{run}/trials", response_model=models.Trials, responses=PROBLEM)
def trials(record: Named, service: Served) -> Response:
    """What trials of remedies for the run's layers came to, newest first."""
    found = service.store.messages(record.run, "trial", newest=MAX_TRIALS)
    return answer({"trials": views.trials(found)})


@router.get("/refused", response_model=models.Refused)
def refused(service: Served) -> Response:
    """What trainers sent and the server could not take: the newest messages, and why."""
    kept = service.store.refused()
    return answer(
        {
            "messages": list(map(views.refused, kept)),
            "since_start": service.counters.messages["refused"],
        }
    )


@router.get(
    "/refused/{id}",
    response_class=Response,
    responses={**PROBLEM, 200: {"content": {"application/octet-stream": {}}}},
)
def refused_message(id: int, service: Served) -> Response:
    """The beginning of a refused message, as it came."""
    kept = {record.id: record.raw for record in service.store.refused()}
    if id not in kept:
        raise unknown("refused message", str(id), [str(known) for known in kept])
    return Response(
        kept[id],
        media_type="application/octet-stream",
        headers={"content-disposition": f"attachment; filename={id}.gainstage"},
    )


@router.get("/rules", response_model=models.Rules)
async def rules() -> Response:
    """The rules of the diagnosis, in their order of precedence."""
    described = [
        diagnosis.describe(rule) | {"runbook": page_url(finding_page(rule))}
        for rule in diagnosis.RULES
    ]
    return answer({"rules": described, "version": diagnosis.RULES_VERSION})


@router.get("/activations", response_model=models.Activations)
async def activations() -> Response:
    """What each activation function makes of a pre-activation, and where it saturates."""
    return answer(curves.described())


@router.get("/messages.json", include_in_schema=False)
async def messages_of_sockets() -> Response:
    """What goes over the WebSockets."""
    return Response(messages.render(), media_type="application/schema+json")


@router.get("/statistics", response_model=models.Statistics)
async def statistics() -> Response:
    """What the numbers mean."""
    return answer({"statistics": list(map(dataclasses.asdict, STATISTICS))})
