"""The logs of a training over steps: their part of the HTTP interface."""

from fastapi import APIRouter, Response

from gainstage_server import models
from gainstage_server.api import PROBLEM, PROBLEMS, FromStep, Named, Points, Served, ToStep, answer
from gainstage_server.history import MAX_STEP, History, Window
from gainstage_server.views import banded

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


@router.get("/runs/{run}/logs", response_model=models.Logs, responses=PROBLEM)
def logs(
    record: Named,
    service: Served,
    *,
    first: FromStep = 0,
    last: ToStep = MAX_STEP,
    points: Points = 600,
) -> Response:
    """The loss and whatever else was logged, over steps. Downsampled series keep every spike.

    A run that never logged anything has no steps here.
    """
    names = list(record.logs)
    buckets = History(service.store, record.run).logs(names, Window(first, last, points))
    return answer(
        {
            "run": record.run,
            "steps": buckets.steps.tolist(),
            "times": buckets.times.tolist(),
            "downsampled": buckets.downsampled,
            "series": banded(names, buckets),
        }
    )
