"""Whatever OpenAPI allows or forbids is asked of a real server, and each answer held against it."""

import os
from collections.abc import Iterator
from hashlib import sha256

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.config import SchemathesisConfig

from gainstage.statistics import IDS
from gainstage_server import openapi
from gainstage_server.settings import Settings
from gainstage_server.store.records import RefusedRecord

from .conftest import Running, running
from .trainer import Trainer, send

# Of each operation; in CI, all of them together take less than a minute of one core.
EXAMPLES = int(os.environ.get("GAINSTAGE_EXAMPLES", "30"))
REFUSED = 1_000
FINDING = sha256(b"row1/activity/0").hexdigest()[:16]
# What the server has, to be asked for half the time; the rest is what schemathesis makes up.
KNOWN = {
    "path.run": ["canonical"],
    "path.finding": [FINDING],
    "path.id": [REFUSED],
    "query.layer": ["dense_1", "row1"],
    "query.statistic": list(IDS[:3]),
}
config = SchemathesisConfig.from_dict(
    {
        "dictionaries": {name: {"values": values} for name, values in KNOWN.items()},
        "parameters": {name: {"dictionary": name, "probability": 0.5} for name in KNOWN},
    }
)
interface = schemathesis.openapi.from_path(openapi.FILE, config=config)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One live run with a finding and a trial, and a message that was refused."""
    settings = Settings(database=tmp_path_factory.mktemp("schemathesis") / "asked.db", disk_floor=0)
    refused = RefusedRecord(
        id=REFUSED, time=1.0, run="", attempt="", worker=0, seq=None, reason="r", size=9, raw=b"raw"
    )
    trainer = Trainer()
    messages = [*trainer.opening(), *(trainer.loud(10 * step) for step in range(4))]
    with running(settings) as it:
        assert send(it.ws, [*messages, trainer.trial(), trainer.notice()]) == []
        with it.service.store.write() as transaction:
            transaction.put_refused([refused])
        (finding,) = it.get("/api/v1/runs/canonical/findings").json()["findings"]
        assert finding["id"] == FINDING
        yield it


@interface.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_those_that_openapi_tells_of(server: Running, case: Case) -> None:
    case.call_and_validate(base_url=server.url)
