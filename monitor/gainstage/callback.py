"""`LayerMonitor`: the only door between Gainstage and `model.fit`."""

import contextlib
import functools
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec

import keras

from gainstage import peek, report
from gainstage.aside import Aside
from gainstage.cadence import Cadence
from gainstage.finding import Finding
from gainstage.frame import Table
from gainstage.options import OVERHEAD, Options
from gainstage.recorder import Recorder, RunIdentity
from gainstage.refusals import Asked, UnwatchedError, refusal
from gainstage.sampler import Sampler
from gainstage.training import describe_training, environment, learning_rate, optimizer_step
from gainstage.workers import CHIEF, worker_of

if TYPE_CHECKING:
    from gainstage.exposition import Exposition

log = logging.getLogger("gainstage")

# A probe that failed this often in a row will not work on this model.
MOST_FAILURES = 3

Parameters = ParamSpec("Parameters")
Hook = Callable[Concatenate["LayerMonitor", Parameters], None]
# Makes a frame of a sample and the logs of its step; returns the findings that it changed.
Record = Callable[[peek.Logs], list[Finding]]


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
            the time. Processes that train a model together are given the same one.
        tags: Words to find the run by.
        config: Settings of the run to show beside it; plain data.
        every: Steps between two samples, `steps_per_execution` counting as one, or "auto": as often
            as `overhead` allows.
        overhead: Share of the training time that samples may take under "auto", between 0 and 1;
            not to be given where `every` is a number.
        examples: Examples of the batch that a sample reads.
        include: Glob patterns over layer paths to watch; default: all.
        exclude: Glob patterns over layer paths not to watch.
        token: The server's token; default $GAINSTAGE_TOKEN.
        spool: Folder of the on-disk queue; default $GAINSTAGE_SPOOL, else ~/.gainstage/spool.
        on_finding: Called with each finding soon after it opens, in the training thread.
        prometheus_port: Serve the run's figures to Prometheus while `fit` runs, at
            http://127.0.0.1:<this port>/metrics of the first worker; needs prometheus-client.

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
        overhead: float = OVERHEAD,
        examples: int = 16,
        include: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        token: str | None = None,
        spool: str | os.PathLike[str] | None = None,
        on_finding: Callable[[Finding], None] | None = None,
        prometheus_port: int | None = None,
    ) -> None:
        super().__init__()
        self._options = Options.checked(
            url=url,
            token=token,
            spool=spool,
            project=project,
            run=run,
            tags=tags,
            config=config,
            every=every,
            overhead=overhead,
            examples=examples,
            include=include,
            exclude=exclude,
            on_finding=on_finding,
            prometheus_port=prometheus_port,
        )
        self._recorder: Recorder | None = None
        self._exposition: Exposition | None = None
        self._begin()

    def _begin(self) -> None:
        self._cadence = Cadence(self._options.every, self._options.overhead)
        self._sampler: Sampler | None = None
        self._taken: Record | None = None
        self._aside = Aside[list[Finding]]()
        self._recording = False  # whether `_aside` has something to do, or to take
        self._open = False
        self._tests = 0
        self._validating = False
        self._failures = 0
        self._reported: set[str] = set()
        self._epoch = 0
        self._batch: int | None = None
        self._batches_before = 0
        self._first_step: int | None = None
        self._batch_size = 0  # the largest so far

    @property
    def run(self) -> str | None:
        """Name of the newest run; None before the first `fit`."""
        return None if self._recorder is None else self._recorder.identity.run

    @property
    def frames(self) -> int:
        """Frames sampled in the newest run."""
        recorder = self._settled()
        return 0 if recorder is None else recorder.frames

    def findings(self) -> list[Finding]:
        """What was found in the newest run: open findings first, then the ones that are over."""
        recorder = self._settled()
        return [] if recorder is None or recorder.state is None else recorder.state.findings

    def frame(self) -> Table | None:
        """The newest statistics; None before the first sample."""
        recorder = self._settled()
        return None if recorder is None else recorder.newest

    def sample(
        self, x: Any, *, step: int | None = None, logs: Mapping[str, Any] | None = None
    ) -> None:
        """Samples the model on the inputs `x` now: for training loops written by hand.

        Call `set_model` and `on_train_begin` before the loop and `on_train_end` after it.

        Args:
            x: Inputs, as the model takes them.
            step: Updates that were made; default: as the model's optimizer counts them.
            logs: Numbers to record with the sample, such as the loss.

        Raises:
            RuntimeError: There is no run to which the sample could belong.
        """
        if self._recorder is None and self._failures:
            return  # on_train_begin failed, and said so
        if not self._open:
            raise RuntimeError(
                "A sample belongs to a run: call `set_model` and `on_train_begin` first."
            )
        self._look(peek.Seen(self._model, (x,)), step)
        self._record(logs or {})
        self._collect()

    @_contained
    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Opens the run."""
        self._rest()
        if self._recorder is not None and self._open:
            # Of a `fit` that raised; this one does not wait for the end of that.
            threading.Thread(target=self._recorder.interrupt, daemon=True).start()
        self._open, self._recorder = False, None
        self._begin()
        self._model = self.model  # Keras's, where torch has wrapped it to distribute it
        options, worker = self._options, worker_of(self._model)
        nameless = options.run is None and options.url is not None
        why = refusal(Asked(self._model, worker, nameless=nameless))
        if why is not None:
            raise UnwatchedError(why)
        self._first_step = optimizer_step(self._model)
        identity = RunIdentity(
            options.run or f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}",
            options.project,
            options.tags,
            options.config,
            worker,
        )
        self._recorder = Recorder(
            identity, environment(), url=options.url, token=options.token, folder=options.folder
        )
        self._open = True
        if self._options.prometheus_port is not None and worker == CHIEF:
            from gainstage.exposition import exposed

            self._exposition = exposed(self._options.prometheus_port, self._recorder)

    @_contained
    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch
        if self._batch is not None:
            self._batches_before += self._batch + getattr(self._model, "steps_per_execution", 1)
            self._batch = None
        self._cadence.pause()

    # There is no hook at the end of a batch: with one, Keras waits for the logs of each.
    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Arms the next call of the training function where the cadence wants a sample."""
        try:
            self._batch = batch
            if self._recording and self._aside.done:
                self._collect()
            if self._cadence.due(time.perf_counter()) and self._failures < MOST_FAILURES:
                peek.arm(self._model, "train_function", self._look, self._record)
        except Exception as error:
            self._failed(error)

    @_contained
    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Notes that a validation begins."""
        self._validating = self._open and self._sampler is not None

    @_contained
    def on_test_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Arms the next call of the test function, once a validation."""
        self._tests += 1
        # As in training, the first call of the function is never looked at.
        if self._validating and self._tests > 1 and self._failures < MOST_FAILURES:
            self._validating = False
            peek.arm(self._model, "test_function", self._look_at_validation, self._record)

    @_contained
    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Closes the run, sends what waits, and prints what was found."""
        self._rest()
        self._open = False
        recorder = self._recorder
        if recorder is None:
            return
        recorder.close("completed")
        if recorder.identity.worker == CHIEF:
            report.print_findings(
                recorder.state,
                recorder.newest,
                self._cadence.costs(),
                recorder.page,
                over_budget=self._cadence.over_budget,
            )

    @_contained
    def _look(self, seen: peek.Seen, step: int | None = None) -> None:
        """Samples a batch that is about to be trained on."""
        recorder, options = self._recorder, self._options
        if recorder is None:  # on_train_begin failed, and said so
            return
        batch_size = peek.size(seen.x)
        if batch_size < min(self._batch_size, options.examples):
            return  # the last batch of an epoch: too few examples to compare
        self._batch_size = max(batch_size, self._batch_size)
        # Neither is our cost: what is under way is waited for, and what was done aside is charged.
        with keras.StatelessScope(state_mapping=list(seen.current)):
            step = self._step() if step is None else step
            rate = learning_rate(self._model)
        self._collect()
        began = time.perf_counter()
        if self._sampler is None:
            self._sampler = Sampler(self._model, options.examples, options.include, options.exclude)
        sample = self._sampler.training(seen)
        if sample is None:
            self._cadence.skipped()
            return
        training = describe_training(self._model, batch_size, rate)
        rates = {} if rate is None else {"learning_rate": rate}
        epoch, costs = self._epoch, self._cadence.costs()
        self._taken = lambda logs: recorder.record(
            sample,
            training,
            step=step,
            epoch=epoch,
            logs=peek.numbers(logs) | rates,
            costs=costs,
        )
        self._cadence.sampled(began, time.perf_counter(), traced=sample.traced)

    @_contained
    def _look_at_validation(self, seen: peek.Seen) -> None:
        """Samples a batch that is not trained on."""
        if self._recorder is None or self._sampler is None:
            return
        self._collect()
        began = time.perf_counter()
        recorder, sample = self._recorder, self._sampler.validation(seen)
        if sample is None:
            return
        step, epoch = self._step(), self._epoch
        self._taken = lambda _: recorder.record_validation(sample, step=step, epoch=epoch)
        self._cadence.paid(time.perf_counter() - began, traced=sample.traced)

    @_contained
    def _record(self, logs: peek.Logs) -> None:
        """Makes a frame of what was sampled, beside the training."""
        record, self._taken = self._taken, None
        if record is None:
            return
        began = time.perf_counter()
        now = peek.kept(self._model, logs)
        self._recording = True
        self._aside.start(lambda: record(now))
        self._cadence.paid(time.perf_counter() - began)

    @_contained
    def _collect(self) -> None:
        """Takes in what was made of the last sample; waits for it."""
        self._recording = False
        taken = self._aside.take()
        if taken is None:
            return
        changed, seconds = taken
        # As if it were the training's: where all cores are busy, it is.
        self._cadence.paid(seconds)
        self._failures = 0
        for finding in changed:
            if finding.open:
                self._tell(finding)

    def _tell(self, finding: Finding) -> None:
        if self._options.on_finding is None:
            return
        try:
            self._options.on_finding(finding)
        except Exception as error:  # the user's, not a failure of the monitor
            text = f"{type(error).__name__}: {error}"
            self._warn_once(f"`on_finding` raised, and the training goes on. {text}", error)

    def _settled(self) -> Recorder | None:
        """The newest run's recorder, with all that was sampled so far in it."""
        self._aside.wait()
        return self._recorder

    def _rest(self) -> None:
        """Ends what runs beside the training."""
        self._collect()
        self._aside.close()
        if self._exposition is not None:
            self._exposition.close()
            self._exposition = None

    def _step(self) -> int:
        """Updates that the optimizer has made; batches where another one trains the model."""
        made, optimizer = optimizer_step(self._model), getattr(self._model, "optimizer", None)
        accumulated = getattr(optimizer, "gradient_accumulation_steps", None) or 1
        batches = self._batches_before + (self._batch or 0)
        stands = made == self._first_step and batches >= accumulated
        return batches if made is None or stands else made

    def _failed(self, error: Exception) -> None:
        refused = isinstance(error, UnwatchedError)
        self._failures = MOST_FAILURES if refused else self._failures + 1
        text = str(error) if refused else f"{type(error).__name__}: {error}"
        what = "The monitor failed, and training goes on."
        if refused:
            what = "This training is not watched, and goes on."
        if self._warn_once(f"{what} {text}", error) and (recorder := self._settled()) is not None:
            with contextlib.suppress(Exception):
                recorder.notice("error", "monitor-failed", text)

    def _warn_once(self, text: str, error: Exception) -> bool:
        """Warns of `error`; returns whether this is the first time in the run."""
        if text in self._reported:
            return False
        self._reported.add(text)
        log.warning("gainstage: %s", text)
        log.debug("Where it failed", exc_info=error)
        return True
