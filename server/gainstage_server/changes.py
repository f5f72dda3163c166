"""The HTTP interface of what a person changes: marks of findings, and runs that are deleted."""

import contextlib
import time
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from starlette.concurrency import run_in_threadpool

from gainstage import wire
from gainstage.finding import Finding
from gainstage_server import models, views
from gainstage_server.grants import Visible
from gainstage_server.parameters import PROBLEM, PROBLEMS, Seen, Served, answer, run_record, unknown
from gainstage_server.service import Service
from gainstage_server.store.interface import StoreError
from gainstage_server.store.records import Mark

_CHANGES: dict[int | str, dict[str, Any]] = {
    **PROBLEM,
    403: {"model": models.Problem},
    413: {"model": models.Problem},
}
router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


@contextlib.asynccontextmanager
async def _changing(service: Service) -> AsyncGenerator[None]:
    """Within the block nothing else changes what is stored.

    Raises:
        HTTPException: 503, nothing can be stored.
    """
    async with service.writer.pause():
        if not service.writing:
            raise HTTPException(
                503, "Nothing is stored any more: see the log, and start the server anew."
            )
        try:
            yield
        except StoreError as error:
            raise HTTPException(503, str(error)) from error


async def _named(service: Service, seen: Visible, run: str, finding: str) -> Finding:
    record = run_record(run, seen)
    found = await run_in_threadpool(service.store.findings, record.run)
    for one in found:
        if one.id == finding:
            return one
    raise unknown("finding", finding, [one.id for one in found])


def _told(service: Service, run: str, finding: Finding) -> Response:
    """Every viewer learns that there is news of the finding; the answer says which."""
    service.hub.publish([], [wire.FindingChanged(run=run, finding=finding)])
    return answer(views.finding(finding, service.runs.marks(run).get(finding.id)))


@router.put(
    "/runs/{run}/findings/{finding}/mark", response_model=models.FindingModel, responses=_CHANGES
)
async def mark_finding(
    run: str, finding: str, wanted: models.WantedMark, service: Served, seen: Seen
) -> Response:
    """Say that a finding is known, or mute it: then it no longer counts, and raises no alert."""
    async with _changing(service):
        named = await _named(service, seen, run, finding)
        mark = Mark(run=run, finding=finding, state=wanted.state, time=time.time())
        await run_in_threadpool(service.committer.mark, mark)
        service.runs.mark(mark)
        return _told(service, run, named)


@router.delete(
    "/runs/{run}/findings/{finding}/mark", response_model=models.FindingModel, responses=_CHANGES
)
async def unmark_finding(run: str, finding: str, service: Served, seen: Seen) -> Response:
    """Take a finding's mark away."""
    async with _changing(service):
        named = await _named(service, seen, run, finding)
        await run_in_threadpool(service.committer.unmark, run, finding)
        service.runs.unmark(run, finding)
        return _told(service, run, named)


@router.delete(
    "/runs/{run}", status_code=204, responses={**_CHANGES, 409: {"model": models.Problem}}
)
async def delete_run(run: str, service: Served, seen: Seen) -> None:
    """Delete everything that is stored of a run that is not live. It cannot be brought back."""
    async with _changing(service):
        record, now = run_record(run, seen), time.time()
        if service.runs.status(record, now) == "live":
            raise HTTPException(
                409,
                f"Run {run!r} is live. Expected a run that has ended or is lost. End its training, "
                f"or wait: {service.settings.lost_after:.0f} s after its trainer was last heard "
                "of it counts as lost.",
            )
        await service.delete(run)
