"""What Hypothesis may take: a busy machine is no failure; and random numbers that are the same."""

import keras
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "monitor", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("monitor")


@pytest.fixture
def seeded() -> None:
    keras.utils.set_random_seed(0)
