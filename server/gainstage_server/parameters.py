"""What the routes of the HTTP interface take and answer alike."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import Depends, HTTPException, Query, Request, Response

from gainstage.workers import BESIDE, CHIEF
from gainstage_server import models
from gainstage_server.grants import Visible, grant_of
from gainstage_server.history import History, Window
from gainstage_server.layout import Layout
from gainstage_server.service import Service, service_of
from gainstage_server.store.records import MAX_STEP, RunRecord

MEDIA_TYPE = "application/x-gainstage"
KNOWN_SHOWN = 50  # names listed where a name is unknown
MAX_POINTS = 5_000

Responses = dict[int | str, dict[str, Any]]
PROBLEM: Responses = {404: {"model": models.Problem}}
PROBLEMS: Responses = {status: {"model": models.Problem} for status in (401, 422, 503)}

Served = Annotated[Service, Depends(service_of)]
OfLayer = Annotated[str, Query(description="A row's id or its path.")]


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


def visible_runs(request: Request, service: Served) -> Visible:
    """The runs that there are for whoever asks."""
    return Visible(service.runs, grant_of(request))


Seen = Annotated[Visible, Depends(visible_runs)]


def run_record(run: str, seen: Seen) -> RunRecord:
    """The run that a path names.

    Raises:
        HTTPException: 404, for whoever asks there is none.
    """
    record = seen.get(run)
    if record is None:
        raise unknown("run", run, [known.run for known in seen.all()])
    return record


Named = Annotated[RunRecord, Depends(run_record)]


def newest_layout(record: Named, service: Served) -> Layout:
    """The newest schema of the run that a path names.

    Raises:
        HTTPException: 404, the run has none.
    """
    layout = service.runs.layout(record.run)
    if layout is None:
        raise HTTPException(
            404,
            f"Run {record.run!r} has not named its layers yet. Expected a schema, which comes "
            "with the first sampled step. Received none. Ask again later.",
        )
    return layout


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


def past_of(
    record: Named,
    service: Served,
    worker: Annotated[
        int, Query(ge=0, lt=BESIDE, description="Its number; the chief's is 0.")
    ] = CHIEF,
    attempt: Annotated[
        str | None, Query(description="All that this one did; without it, the run's line of steps.")
    ] = None,
) -> History:
    """The past of a worker of the run that a path names, or of one of its attempts.

    Raises:
        HTTPException: 404, there is none.
    """
    if (worker, attempt) != (CHIEF, None):
        begun = [one for one in service.store.attempts(record.run) if one.worker != BESIDE]
        workers = sorted({one.worker for one in begun})
        if worker not in workers:
            raise unknown("worker", str(worker), list(map(str, workers)))
        attempts = [one.attempt for one in begun if one.worker == worker]
        if attempt not in (None, *attempts):
            raise unknown(f"attempt of worker {worker}", attempt or "", attempts)
    return History(service.store, record.run, worker, attempt)


Past = Annotated[History, Depends(past_of)]


def window_of(points: int) -> Callable[..., Window]:
    """The steps that a query asks for; of `points` points where it does not say."""

    def asked(
        first: Annotated[
            int, Query(alias="from", ge=0, le=MAX_STEP, description="First step.")
        ] = 0,
        last: Annotated[
            int, Query(alias="to", ge=0, le=MAX_STEP, description="Last step.")
        ] = MAX_STEP,
        points: Annotated[
            int, Query(ge=1, le=MAX_POINTS, description="Most points of a series.")
        ] = points,
    ) -> Window:
        return Window(first, last, points)

    return asked
