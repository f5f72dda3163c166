"""The unit map of one row over steps: its part of the HTTP interface."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Header, Response

from gainstage_server import models
from gainstage_server.history import Window
from gainstage_server.parameters import (
    MEDIA_TYPE,
    PROBLEM,
    PROBLEMS,
    Described,
    Named,
    OfLayer,
    Past,
    answer,
    position_of,
    window_of,
)
from gainstage_server.views import Plain, framed, numbers

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


@router.get(
    "/runs/{run}/units",
    response_model=models.Units,
    responses={**PROBLEM, 200: {"content": {MEDIA_TYPE: {}}}},
)
def units(
    record: Named,
    layout: Described,
    past: Past,
    window: Annotated[Window, Depends(window_of(400))],
    layer: OfLayer,
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """The units of one row over steps, as JSON or in the wire's binary framing.

    Downsampled pictures keep every spike. A row without a unit map has no groups.
    """
    position = position_of(layer, layout)
    row, groups = layout.schema.rows[position], len(layout.unit_columns(position))
    buckets = past.units(row.id, groups, window)
    # Buckets of frames that have no map are no columns of the picture.
    kept = buckets.frames > 0
    fields: Plain = {
        "run": record.run,
        "row": row.id,
        "layer": row.path,
        "units": layout.units(position),
        "groups": groups,
        "steps": buckets.steps[kept].tolist(),
        "frames": buckets.frames[kept].tolist(),
        "downsampled": buckets.downsampled,
    }
    pinned, present = buckets.max[kept].T, buckets.present[kept].T
    if MEDIA_TYPE not in accept:
        return answer(fields | {"pinned": numbers(pinned, present)})
    block = np.where(present, pinned, np.float32(np.nan))
    return Response(framed({"type": "units"} | fields, {"pinned": block}), media_type=MEDIA_TYPE)
