"""`LayerMonitor`: the only door between Gainstage and `model.fit`."""

import functools
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, Literal, ParamSpec

import keras

from gainstage.diagnosis import Finding

log = logging.getLogger("gainstage")

DEFAULT_URL = "http://127.0.0.1:8420"
# A probe that failed this often in a row will not work on this model.
MOST_FAILURES = 3
# Seconds that the end of `fit` waits for a server that is listening; the rest stays in the spool.
DRAIN_SECONDS = 5.0
RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

Parameters = ParamSpec("Parameters")


def _contained(
    hook: Callable[Concatenate["LayerMonitor", Parameters], None],
) -> Callable[Concatenate["LayerMonitor", Parameters], None]:
    """The edge between the monitor and the training: no error of ours crosses it."""

    @functools.wraps(hook)
    def contained(
        self: "LayerMonitor", *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> None:
        try:
            hook(self, *args, **kwargs)
        except Exception as error:
            self._failed(error)

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
