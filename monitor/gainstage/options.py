"""What `LayerMonitor` is given: checked once, at construction, and frozen."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import msgspec

from gainstage.finding import Finding
from gainstage.places import DEFAULT_URL, install_command, spools
from gainstage.uplink import ingest_url

# Share of the training time that samples may take.
OVERHEAD = 0.01
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where messages go, with what the environment adds filled in.

    Attributes:
        url: Address of the server; None: no server.
        token: The server's token.
        folder: Where spools lie.
    """

    url: str | None
    token: str | None
    folder: Path


def destination(url: Any, token: Any, spool: Any) -> Destination:
    """What these arguments of `LayerMonitor` mean.

    Raises:
        ValueError: One of them is not what `LayerMonitor` describes.
    """
    return Destination(
        url=None if url is False else _address(url),
        token=_text("token", token) or os.environ.get("GAINSTAGE_TOKEN"),
        folder=_folder(spool),
    )


@dataclass(frozen=True, kw_only=True)
class Options(Destination):
    """The arguments of `LayerMonitor`, with what the environment adds filled in."""

    project: str
    run: str | None
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    every: int | str
    overhead: float
    examples: int
    include: tuple[str, ...] | None
    exclude: tuple[str, ...]
    on_finding: Callable[[Finding], None] | None
    prometheus_port: int | None

    @classmethod
    def checked(
        cls,
        *,
        url: Any,
        token: Any,
        spool: Any,
        project: Any,
        run: Any,
        tags: Any,
        config: Any,
        every: Any,
        overhead: Any,
        examples: Any,
        include: Any,
        exclude: Any,
        on_finding: Any,
        prometheus_port: Any,
    ) -> Self:
        """The options that the arguments of `LayerMonitor` mean.

        Raises:
            ValueError: One of them is not what `LayerMonitor` describes.
        """
        check_names(run, project)
        _check_cadence(every, overhead, examples)
        _check_prometheus_port(prometheus_port)
        return cls(
            **vars(destination(url, token, spool)),
            project=project,
            run=run,
            tags=_words("tags", tags),
            config=_plain_data("config", config),
            every=every,
            overhead=overhead,
            examples=examples,
            include=None if include is None else _words("include", include),
            exclude=_words("exclude", exclude),
            on_finding=_function("on_finding", on_finding),
            prometheus_port=prometheus_port,
        )


def check_names(run: Any, project: Any) -> None:
    """Refuses what no run and no project may be called.

    Raises:
        ValueError: One of them is such a name.
    """
    if run is not None and not (isinstance(run, str) and RUN_NAME.fullmatch(run)):
        raise ValueError(
            "`run` must be 1 to 128 of the characters A-Z a-z 0-9 . _ - and begin with a letter or "
            f"digit. Received: {run!r}."
        )
    if not isinstance(project, str) or not 0 < len(project) <= 128:
        raise ValueError(f"`project` must be 1 to 128 characters. Received: {project!r}.")


def _check_cadence(every: Any, overhead: Any, examples: Any) -> None:
    if every != "auto" and not is_whole(every, least=1):
        raise ValueError(
            f'`every` must be a number of steps from 1, or "auto". Received: {every!r}.'
        )
    if not isinstance(overhead, int | float) or not 0 < overhead < 1:
        raise ValueError(
            "`overhead` must be a share of the training time between 0 and 1. "
            f"Received: {overhead!r}."
        )
    if every != "auto" and overhead != OVERHEAD:
        raise ValueError(
            "`overhead` says how far apart samples are where `every` does not. Expected one of the "
            f"two. Received: every={every!r}, overhead={overhead!r}. Leave one out."
        )
    if not is_whole(examples, least=2):
        raise ValueError(
            "`examples` must be a whole number from 2: one example alone has no spread. "
            f"Received: {examples!r}."
        )


def _check_prometheus_port(port: Any) -> None:
    if port is None:
        return
    if not is_whole(port, least=1) or port > 65_535:
        raise ValueError(f"`prometheus_port` must be a port from 1 to 65535. Received: {port!r}.")
    if find_spec("prometheus_client") is None:
        raise ValueError(
            "`prometheus_port` needs prometheus-client, which is not installed: "
            f"{install_command('prometheus')}"
        )


def is_whole(value: Any, *, least: int) -> bool:
    """Whether `value` is a whole number from `least` on; a truth value is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _text(name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        # The value is not shown: it may be a secret.
        raise ValueError(f"`{name}` must be a string. Received: {type(value).__name__}.")
    return value


def _words(name: str, words: Any) -> tuple[str, ...]:
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"`{name}` must be a list of strings. Received: {words!r}.")
    return tuple(words)


def _address(url: Any) -> str:
    if url is not None and not isinstance(url, str):
        raise ValueError(
            "`url` must be the address of a Gainstage server, or False for none. "
            f"Received: {url!r}."
        )
    address = url or os.environ.get("GAINSTAGE_URL") or DEFAULT_URL
    ingest_url(address)
    return address


def _folder(spool: Any) -> Path:
    if spool is not None and not isinstance(spool, str | os.PathLike):
        raise ValueError(f"`spool` must be the path of a folder. Received: {spool!r}.")
    return Path(spool or os.environ.get("GAINSTAGE_SPOOL") or spools())


def _plain_data(name: str, value: Any) -> dict[str, Any]:
    problem = f"`{name}` must be a dictionary of plain data with words as keys. Received: {value!r}"
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f"{problem}.")
    try:
        # Through the encoder of the wire, so that what cannot be sent is known now, not in `fit`.
        return msgspec.convert(msgspec.to_builtins(value or {}), dict[str, Any])
    except (TypeError, msgspec.MsgspecError) as error:
        raise ValueError(f"{problem}: {error}.") from error


def _function(name: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise ValueError(f"`{name}` must be a function. Received: {value!r}.")
    return value
