"""The HTTP interface: runs, rows, series, findings, and the tables behind them."""

import dataclasses
import time
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response

from gainstage import curves, diagnosis
from gainstage.statistics import STATISTICS
from gainstage_server import messages, models, views
from gainstage_server.history import Cell, Window
from gainstage_server.layout import Layout
from gainstage_server.ops.alerts import finding_page, page_url
from gainstage_server.parameters import (
    MEDIA_TYPE,
    PROBLEM,
    PROBLEMS,
    Described,
    Named,
    OfLayer,
    Past,
    Seen,
    Served,
    answer,
    position_of,
    unknown,
    window_of,
)
from gainstage_server.runs import Status
from gainstage_server.store.records import RefusedRecord
from gainstage_server.workers import workers

MAX_STATISTICS = 64
MAX_NOTICES = 200
MAX_TRIALS = 20
# Of a heatmap, whose rows are many; it takes 17 bytes each, and in JSON a hundred.
MAX_CELLS = 2**20

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


def kept_apart(service: Served, seen: Seen) -> list[RefusedRecord]:
    """The refused messages that there are for whoever asks."""
    return [record for record in service.store.refused() if seen.grant.covers(record.project)]


Kept = Annotated[list[RefusedRecord], Depends(kept_apart)]


def _check_statistics(names: list[str], layout: Layout) -> None:
    for name in names:
        if name not in layout.places:
            raise unknown("statistic", name, list(layout.places))


@router.get("/runs", response_model=models.Runs)
def runs(
    service: Served, seen: Seen, project: str | None = None, status: Status | None = None
) -> Response:
    """All runs, newest first."""
    now = time.time()
    shown = [
        views.run_summary(record, service.runs, now)
        for record in seen.all()
        if project in (None, record.project) and status in (None, service.runs.status(record, now))
    ]
    return answer({"runs": shown})


@router.get("/runs/{run}", response_model=models.Run, responses=PROBLEM)
def run(record: Named, service: Served) -> Response:
    """One run, its notices, its attempts and its workers."""
    now, attempts = time.time(), service.store.attempts(record.run)
    return answer(
        views.run_summary(record, service.runs, now)
        | {
            "judged": record.verdicts,
            "notices": views.notices(
                service.store.messages(record.run, "notice", newest=MAX_NOTICES)
            ),
            "attempts": views.attempts(attempts),
            "workers": list(map(views.worker, workers(attempts, service.runs, now))),
        }
    )


@router.get("/runs/{run}/layers", response_model=models.Layers, responses=PROBLEM)
def layers(record: Named, service: Served) -> Response:
    """The newest values and verdict of every row."""
    return answer(views.layers(record, service.runs.newest(record.run)))


@router.get("/runs/{run}/series", response_model=models.Series, responses=PROBLEM)
def series(
    record: Named,
    layout: Described,
    past: Past,
    window: Annotated[Window, Depends(window_of(600))],
    layer: OfLayer,
    statistic: Annotated[list[str], Query(min_length=1, max_length=MAX_STATISTICS)],
) -> Response:
    """Statistics of one row over steps. Downsampled series keep every spike."""
    row = layout.schema.rows[position_of(layer, layout)]
    _check_statistics(statistic, layout)
    cells = [Cell(row.id, name) for name in statistic]
    return answer(views.series(record, row, statistic, past.read(cells, window)))


@router.get(
    "/runs/{run}/heatmap",
    response_model=models.Heatmap,
    responses={**PROBLEM, 200: {"content": {MEDIA_TYPE: {}}}},
)
def heatmap(
    record: Named,
    layout: Described,
    past: Past,
    window: Annotated[Window, Depends(window_of(400))],
    statistic: str,
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """One statistic of all rows over steps, as JSON or in the wire's binary framing.

    The more rows, the fewer points: rows times points are at most 1,048,576.
    """
    _check_statistics([statistic], layout)
    rows = list(layout.rows)
    cells = [Cell(row, statistic) for row in rows]
    points = min(window.points, max(1, MAX_CELLS // max(1, len(rows))))
    buckets = past.read(cells, dataclasses.replace(window, points=points))
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
def refused(kept: Kept, service: Served, seen: Seen) -> Response:
    """What trainers sent and the server could not take: the newest messages, and why."""
    total = service.counters.messages["refused"] if seen.grant.project is None else None
    return answer({"messages": list(map(views.refused, kept)), "since_start": total})


@router.get(
    "/refused/{id}",
    response_class=Response,
    responses={**PROBLEM, 200: {"content": {"application/octet-stream": {}}}},
)
def refused_message(id: int, kept: Kept) -> Response:
    """The beginning of a refused message, as it came."""
    raw = {record.id: record.raw for record in kept}
    if id not in raw:
        raise unknown("refused message", str(id), [str(known) for known in raw])
    return Response(
        raw[id],
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
