"""How much JavaScript there is to load."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gainstage_server.dashboard import STATIC


@dataclass(frozen=True)
class Size:
    """Compressed by Brotli, as the server sends it; in kB of 1,000 bytes.

    Attributes:
        loaded_kb: What a run's page loads.
        all_kb: All that the dashboard has.
        files: How many that are.
    """

    loaded_kb: float
    all_kb: float
    files: int


def measure(scripts: Iterable[str]) -> Size:
    """Of a built dashboard, and of the scripts that one of its pages loaded, by their addresses."""
    files = sorted(STATIC.rglob("*.js"))
    loaded = [STATIC / urlsplit(script).path.lstrip("/") for script in scripts]
    return Size(_compressed(loaded), _compressed(files), len(files))


def _compressed(files: Iterable[Path]) -> float:
    return sum(file.with_name(f"{file.name}.br").stat().st_size for file in files) / 1e3
