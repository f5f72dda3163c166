"""What Hypothesis may take: a busy machine is no failure."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "monitor", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("monitor")
