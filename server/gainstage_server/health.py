"""Whether the process is alive, and whether it can do its work."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException

from gainstage_server.models import Health, Problem
from gainstage_server.service import Service, service_of
from gainstage_server.store.interface import StoreError

router = APIRouter()


@router.get("/healthz")
async def healthz() -> Health:
    """The process is alive."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"model": Problem}})
def readyz(service: Annotated[Service, Depends(service_of)]) -> Health:
    """The store can be written and the disk is above its floor.

    Of a PostgreSQL only the first is asked: it is no client's to see how full its disk is.
    """
    if not service.writing:
        raise HTTPException(
            503, "Nothing is stored any more: see the log, and start the server anew."
        )
    try:
        service.store.probe()
        free = service.store.free_bytes()
    except (StoreError, OSError) as error:
        raise HTTPException(503, str(error)) from error
    floor = service.settings.disk_floor
    if free is not None and free < floor:
        raise HTTPException(
            503,
            f"The disk has {free} bytes left, {floor} are to stay free. "
            "Make room, or lower GAINSTAGE_DISK_FLOOR.",
        )
    return Health(status="ok")
