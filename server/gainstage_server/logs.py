"""The logs of a training over steps: their part of the HTTP interface."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from gainstage_server import models
from gainstage_server.history import Window
from gainstage_server.parameters import PROBLEM, PROBLEMS, Named, Past, answer, window_of
from gainstage_server.views import banded, downsampled

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


@router.get("/runs/{run}/logs", response_model=models.Logs, responses=PROBLEM)
def logs(record: Named, past: Past, window: Annotated[Window, Depends(window_of(600))]) -> Response:
    """The loss and whatever else was logged, over steps. Downsampled series keep every spike.

    A run that never logged anything has no steps here.
    """
    names = list(record.logs)
    buckets = past.logs(names, window)
    return answer(
        downsampled(buckets)
        | {
            "run": record.run,
            "times": buckets.times.tolist(),
            "series": banded(names, buckets),
        }
    )
