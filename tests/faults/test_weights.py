"""Whatever fails beside a training by Keras, it ends with the weights of one without a monitor."""

import re
import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.monitor.serving import nowhere

from . import disk
from .journal import ask, exactly_once
from .plans import FRAMES, Fit
from .processes import Process, Server, sync
from .proxy import Proxy

# Until Keras is imported and a model compiled, on a machine that is busy with other tests.
KERAS_SECONDS = 240.0
pytestmark = pytest.mark.timeout(600)


@dataclass
class Keras:
    """A process that trains what it is told to."""

    process: Process
    journal: Path

    def begin(self, fit: Fit) -> None:
        """Trains to the middle of `fit`."""
        self.process.tell(fit.line)
        self.process.wait_for(f"halfway {fit.run}\n", KERAS_SECONDS)

    def end(self, fit: Fit) -> str:
        """Trains to its end; a digest of all weights."""
        self.process.tell("")
        self.process.wait_for(f"weights {fit.run}", KERAS_SECONDS)
        found = re.search(rf"weights {fit.run} (\w+)", self.process.said())
        assert found is not None
        return found[1]


@contextmanager
def started(folder: Path) -> Generator[Keras]:
    journal = folder / "journal"
    with Process("tests.faults.fits", str(journal), log=folder / "log") as process:
        yield Keras(process, journal)


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keras]:
    """One process, which no test ends."""
    with started(tmp_path_factory.mktemp("keras")) as it:
        yield it


@pytest.fixture(scope="module")
def weights(trainings: Keras) -> str:
    """Of the training that is not monitored."""
    fit = Fit(run="plain")
    trainings.begin(fit)
    return trainings.end(fit)


def killed(server: Server, _: Proxy) -> None:
    server.process.kill()


def paused(server: Server, _: Proxy) -> None:
    server.process.signal(signal.SIGSTOP)


def cut(_: Server, proxy: Proxy) -> None:
    proxy.cut()


def half_open(_: Server, proxy: Proxy) -> None:
    proxy.hold()


@pytest.mark.parametrize("fault", [killed, paused, cut, half_open], ids=lambda it: it.__name__)
def test_training_ends_the_same_where_its_server_is_lost_halfway(
    fault: Callable[[Server, Proxy], None],
    trainings: Keras,
    weights: str,
    server: Server,
    proxy: Proxy,
    tmp_path: Path,
) -> None:
    fit = Fit(run=fault.__name__, url=proxy.url, folder=tmp_path / "spool")
    trainings.begin(fit)
    server.holds_frames(5)
    fault(server, proxy)
    same = trainings.end(fit) == weights
    server.process.kill()
    server.start()
    sync(fit.folder, server.url)

    assert same
    assert exactly_once(trainings.journal, server.database, run=fit.run).frames == FRAMES


def test_training_ends_the_same_where_the_disk_of_its_spool_is_full(
    trainings: Keras, weights: str, server: Server, tmp_path: Path
) -> None:
    with disk.mounted(tmp_path / "small", 2**21) as small, nowhere() as url:
        fit = Fit(run="full", url=url, folder=small / "spool")
        trainings.begin(fit)
        disk.fill(small, leave=0)
        assert trainings.end(fit) == weights


def test_interrupted_training_leaves_a_complete_spool(server: Server, tmp_path: Path) -> None:
    with nowhere() as url, started(tmp_path) as trainings:
        fit = Fit(run="interrupted", url=url, folder=tmp_path / "spool")
        trainings.begin(fit)
        trainings.process.signal(signal.SIGINT)
        assert trainings.process.wait() != 0
    sync(fit.folder, server.url)

    account = exactly_once(trainings.journal, server.database, run=fit.run)
    assert account.frames >= FRAMES // 2 - 1
    assert ask(server.database, "SELECT status FROM attempts") == [("interrupted",)]
