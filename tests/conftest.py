"""What all tests share: where programs are found, and that CI skips nothing without need."""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TypeVar

import pytest

# A training and its twin are the same program, which XLA then compiles once. JAX reads these when
# it is imported; the folder is this run's alone.
COMPILED = tempfile.mkdtemp(prefix="gainstage-jax-")
atexit.register(shutil.rmtree, COMPILED, ignore_errors=True)
os.environ |= {
    "JAX_COMPILATION_CACHE_DIR": COMPILED,
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    # What runs for milliseconds is not worth the seconds that optimising it takes.
    "XLA_FLAGS": "--xla_backend_optimization_level=0",
    # TensorFlow convolves channels first on a CPU by oneDNN alone, which is off where the processor
    # has no AVX-512.
    "TF_ENABLE_ONEDNN_OPTS": "1",
}

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# Why a test may be skipped in CI: each is something that a CI machine cannot have.
UNMEETABLE = ("needs a Docker engine",)


def find_program(*names: str) -> str | None:
    """The first of `names` that .venv or the machine has."""
    places = os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", "")])
    return next((found for name in names if (found := shutil.which(name, path=places))), None)


@pytest.fixture(scope="session")
def program() -> Callable[..., str]:
    """`program("promtool")` is its path; the test is skipped where there is none."""

    def require(*names: str) -> str:
        found = find_program(*names)
        if found is None:
            pytest.skip(f"needs {' or '.join(names)}, which `make test` installs where it can")
        return found

    return require


@pytest.fixture(scope="session")
def chromium(program: Callable[..., str]) -> str:
    return program("chromium", "chromium-browser", "google-chrome")


def _fail_if_skipped(report: Report) -> Report:
    expected_to_fail = hasattr(report, "wasxfail")
    if os.environ.get("CI") and report.skipped and not expected_to_fail:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(unmeetable in reason for unmeetable in UNMEETABLE):
            report.outcome = "failed"
            report.longrepr = f"CI must run this test. {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _fail_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _fail_if_skipped((yield))
