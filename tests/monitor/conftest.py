"""What Hypothesis may take: a busy machine is no failure; random numbers that are the same; and
servers.
"""

from collections.abc import Iterator

import keras
import pytest
from hypothesis import HealthCheck, settings
from tests.monitor.serving import nowhere, serving

settings.register_profile(
    "monitor", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("monitor")


@pytest.fixture
def seeded() -> None:
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def closed() -> Iterator[str]:
    """Where no server listens: what is sampled is spooled, and the uplink tries in vain."""
    with nowhere() as url:
        yield url


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server")) as url:
        yield url
