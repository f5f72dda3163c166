"""`LayerMonitor`: the only door between Gainstage and `model.fit`."""

import contextlib
import functools
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec

import keras

from gainstage import peek, report
from gainstage.cadence import Cadence
from gainstage.finding import Finding
from gainstage.frame import Table
from gainstage.probe import Probe
from gainstage.recorder import Recorder, RunIdentity
from gainstage.training import describe_training, environment, learning_rate, optimizer_step
from gainstage.uplink import ingest_url

log = logging.getLogger("gainstage")

DEFAULT_URL = "http://127.0.0.1:8420"
# A probe that failed this often in a row will not work on this model.
MOST_FAILURES = 3
# Seconds that the end of `fit` waits for a server that is listening; the rest stays in the spool.
DRAIN_SECONDS = 5.0
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

Parameters = ParamSpec("Parameters")
Hook = Callable[Concatenate["LayerMonitor", Parameters], None]


def _contained(hook: Hook[Parameters]) -> Hook[Parameters]:
    """The edge between the monitor and the training: no error of ours crosses it."""

    @functools.wraps(hook)
    def contained(
        self: "LayerMonitor", /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> None:
        try:
            hook(self, *args, **kwargs)
        except Exception as error:
            self._failed(error)  # pyright: ignore[reportPrivateUsage]

    return contained


class LayerMonitor(keras.callbacks.Callback):
    """Watches the layers of a model while it trains, and says which run out of range and why.

    Training is the same, bit for bit, with and without it: the model is read by a separate pass
    over a few examples between two steps.

    Args:
        url: Address of the Gainstage server; default $GAINSTAGE_URL, else http://127.0.0.1:8420.
            False: no server, and nothing is written to disk.
        project: Name under which the server groups runs.
        run: Name of the run, 1 to 128 of the characters A-Z a-z 0-9 . _ -; default: made from
            the time.
        tags: Words to find the run by.
        config: Settings of the run to show beside it; plain data.
        every: Steps between two samples, or "auto": as often as `overhead` allows.
        overhead: Share of the training time that samples may take under "auto", between 0 and 1.
        examples: Examples of the batch that a sample reads.
        include: Glob patterns over layer paths to watch; default: all.
        exclude: Glob patterns over layer paths not to watch.
        token: The server's token; default $GAINSTAGE_TOKEN.
        spool: Folder of the on-disk queue; default $GAINSTAGE_SPOOL, else ~/.gainstage/spool.
        on_finding: Called with each finding as it opens, in the training thread.
        prometheus_port: Serve the run's findings to Prometheus on this port of 127.0.0.1.

    Raises:
        ValueError: An argument is not what is described here.
    """

    def __init__(
        self,
        url: str | Literal[False] | None = None,
        *,
        project: str = "default",
        run: str | None = None,
        tags: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
        every: int | Literal["auto"] = "auto",
        overhead: float = 0.01,
        examples: int = 16,
        include: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        token: str | None = None,
        spool: str | os.PathLike[str] | None = None,
        on_finding: Callable[[Finding], None] | None = None,
        prometheus_port: int | None = None,
    ) -> None:
        super().__init__()
        _check_arguments(run, project, every, overhead, examples)
        self._url = None if url is False else url or os.environ.get("GAINSTAGE_URL", DEFAULT_URL)
        if self._url is not None:
            ingest_url(self._url)
        self._token = token or os.environ.get("GAINSTAGE_TOKEN")
        self._folder = Path(
            spool or os.environ.get("GAINSTAGE_SPOOL") or Path.home() / ".gainstage" / "spool"
        )
        self._run, self._project = run, project
        self._tags, self._config = _words("tags", tags), dict(config or {})
        self._every, self._overhead, self._examples = every, overhead, examples
        self._include = None if include is None else _words("include", include)
        self._exclude = _words("exclude", exclude)
        self._on_finding = on_finding
        self._recorder: Recorder | None = None
        self._begin()

    def _begin(self) -> None:
        self._cadence = Cadence(self._every, self._overhead)
        self._probe: Probe | None = None
        self._failures = 0
        self._reported: set[str] = set()
        self._epoch = 0
        self._calls = 0
        self._batch = 0
        self._batch_size: int | None = None
        self._began_at = 0.0
        self._sampling: float | None = None
        self._logs: Mapping[str, Any] = {}

    @property
    def run(self) -> str | None:
        """Name of the newest run; None before the first `fit`."""
        return None if self._recorder is None else self._recorder.identity.run

    @property
    def frames(self) -> int:
        """Frames sampled in the newest run."""
        return 0 if self._recorder is None else self._recorder.frames

    def findings(self) -> list[Finding]:
        """What was found in the newest run: open findings first, then the ones that are over."""
        state = None if self._recorder is None else self._recorder.state
        return [] if state is None else state.findings

    def frame(self) -> Table | None:
        """The newest statistics; None before the first sample."""
        return None if self._recorder is None else self._recorder.newest

    def sample(self, x: Any) -> None:
        """Samples the model on the inputs `x` now: for training loops written by hand.

        Call `set_model` and `on_train_begin` before the loop and `on_train_end` after it.
        """
        self._sample(x)

    @_contained
    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Opens the run."""
        if self._recorder is not None:
            self._recorder.close("interrupted", 0.0)  # a `fit` that raised
        self._begin()
        identity = RunIdentity(
            self._run or f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}",
            self._project,
            self._tags,
            self._config,
        )
        self._recorder = Recorder(
            identity, environment(), url=self._url, token=self._token, folder=self._folder
        )

    @_contained
    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch

    @_contained
    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Arms the next call of the training function where the cadence wants a sample."""
        self._calls += 1
        self._sampling = None
        self._began_at = time.perf_counter()
        # The first call traces the user's step and builds the model: it is never looked at.
        if self._calls > 1 and self._failures < MOST_FAILURES and self._cadence.due():
            peek.arm(self._model, self._look)

    @_contained
    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Notes what the step took and its logs."""
        self._batch = batch + 1
        self._logs = logs or {}
        if self._calls > 1 and self._sampling is None:
            self._cadence.trained(time.perf_counter() - self._began_at)

    @_contained
    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Closes the run, sends what waits, and prints what was found."""
        recorder = self._recorder
        if recorder is None:
            return
        left = recorder.close("completed", DRAIN_SECONDS)
        report.print_findings(self.findings(), recorder.newest, self._cadence.costs())
        if left:
            log.warning(
                "%d messages of run %s wait in %s. To send them later: gainstage sync",
                left,
                recorder.identity.run,
                self._folder,
            )

    @_contained
    def _look(self, batch: Any) -> None:
        self._sample(peek.inputs(self._model, batch))

    def _sample(self, x: Any) -> None:
        recorder = self._recorder
        if recorder is None:
            raise RuntimeError("A sample belongs to a run: call `on_train_begin` first.")
        began = time.perf_counter()
        self._sampling = began
        batch_size = peek.size(x)
        if self._batch_size is not None and batch_size < self._batch_size:
            return  # the last batch of an epoch: too few examples to compare
        self._batch_size = batch_size
        if self._probe is None:
            self._probe = Probe(self._model, self._include, self._exclude)
        read = self._probe(peek.first(x, self._examples))
        step = optimizer_step(self._model)
        changed = recorder.record(
            read.rows,
            read.readings,
            lambda: describe_training(self._model, batch_size),
            step=self._batch if step is None else step,
            epoch=self._epoch,
            logs=self._numbers(),
            costs=self._cadence.costs(),
        )
        self._cadence.sampled(time.perf_counter() - began, traced=read.traced)
        self._failures = 0
        if self._on_finding is not None:
            for finding in changed:
                if finding.open:
                    self._on_finding(finding)

    def _numbers(self) -> dict[str, float]:
        numbers = {name: float(value) for name, value in self._logs.items()}
        rate = learning_rate(self._model)
        return numbers if rate is None else numbers | {"learning_rate": rate}

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        text = f"{type(error).__name__}: {error}"
        if text in self._reported:
            return
        self._reported.add(text)
        log.warning("The monitor failed, training goes on without this sample. %s", text)
        log.debug("Where it failed", exc_info=error)
        if self._recorder is not None:
            with contextlib.suppress(Exception):
                self._recorder.notice("error", "monitor-failed", text)


def _check_arguments(
    run: str | None, project: str, every: int | str, overhead: float, examples: int
) -> None:
    if run is not None and not RUN_NAME.fullmatch(run):
        raise ValueError(
            "`run` must be 1 to 128 of the characters A-Z a-z 0-9 . _ - and begin with a letter or "
            f"digit. Received: {run!r}."
        )
    if not project or len(project) > 128:
        raise ValueError(f"`project` must be 1 to 128 characters. Received: {project!r}.")
    if every != "auto" and (isinstance(every, bool) or not isinstance(every, int) or every < 1):
        raise ValueError(
            f'`every` must be a number of steps from 1, or "auto". Received: {every!r}.'
        )
    if not 0 < overhead < 1:
        raise ValueError(
            "`overhead` must be a share of the training time between 0 and 1. "
            f"Received: {overhead!r}."
        )
    if isinstance(examples, bool) or not isinstance(examples, int) or examples < 2:
        raise ValueError(
            "`examples` must be a whole number from 2: one example alone has no spread. "
            f"Received: {examples!r}."
        )


def _words(name: str, words: Sequence[str]) -> tuple[str, ...]:
    if isinstance(words, str) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"`{name}` must be a list of strings. Received: {words!r}.")
    return tuple(words)
