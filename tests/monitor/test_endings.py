"""Trainings that end without a word: the interpreter's exit, signals, and forks, in processes."""

import signal
from collections import Counter
from pathlib import Path

import pytest

from gainstage import wire
from gainstage.client import Client

from .scripts import ENDLESS, TRAINING, ended, waiting

ENDINGS = [
    ("raise SystemExit(3)", (), 3),
    ("raise KeyboardInterrupt", (), -signal.SIGINT),
    (ENDLESS, (signal.SIGINT,), -signal.SIGINT),
    (ENDLESS, (signal.SIGTERM,), -signal.SIGTERM),
]


@pytest.mark.parametrize(("body", "signals", "status"), ENDINGS)
def test_training_that_breaks_off_leaves_its_end_and_says_where_it_is(
    tmp_path: Path, closed: str, body: str, signals: tuple[int, ...], status: int
) -> None:
    code, out, err = ended(body, closed, tmp_path, signals)

    assert code == status
    assert out == "gainstage: run mine was interrupted after 0 frames.\n"
    assert f"7 messages of run mine wait in {tmp_path}" in err
    assert f"gainstage sync --url {closed} {tmp_path}" in err
    ((start, *notices, end),) = waiting(tmp_path)
    assert isinstance(start, wire.RunStart)
    assert len(notices) == 5
    assert isinstance(end, wire.RunEnd)
    assert end.status == "interrupted"


def test_training_that_breaks_off_ends_on_the_server_too(tmp_path: Path, server: str) -> None:
    code, out, err = ended("raise SystemExit", server, tmp_path)

    assert (code, err) == (0, "")
    assert out == f"gainstage: run mine was interrupted after 0 frames: {server}/runs/mine\n"
    assert list(tmp_path.iterdir()) == []
    (run,) = Client(server, None).runs()
    assert run["status"] == "ended"


def test_handler_of_the_user_is_left_alone(tmp_path: Path, closed: str) -> None:
    own = "signal.signal(signal.SIGTERM, lambda *_: os._exit(5))\n"

    code, _, _ = ended(own + "begin()\n" + ENDLESS, closed, tmp_path, (signal.SIGTERM,))

    assert code == 5


def test_attempt_that_has_ended_leaves_no_handler_and_is_not_ended_again(
    tmp_path: Path, closed: str
) -> None:
    body = (
        "recorder.close('completed')\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
        "assert recorder.close('interrupted') is False"
    )

    code, out, _ = ended(body, closed, tmp_path)

    assert (code, out) == (0, "")
    ((*_, end),) = waiting(tmp_path)
    assert isinstance(end, wire.RunEnd)
    assert end.status == "completed"


# Both go on as if the run were theirs, and both end as scripts do.
FORK = """
child = os.fork()
if child:
    os.waitpid(child, 0)
steps(recorder, 5)
recorder.close("completed")
"""


def test_fork_leaves_the_run_to_the_parent(tmp_path: Path, closed: str) -> None:
    code, _, err = ended(FORK, closed, tmp_path)

    assert code == 0
    assert "Traceback" not in err
    ((*messages, end),) = waiting(tmp_path)
    assert [message.seq for message in messages] == list(range(11))
    writers = {it.text.split()[0] for it in messages if isinstance(it, wire.Notice)}
    assert len(writers) == 1
    assert isinstance(end, wire.RunEnd)


def test_forks_while_messages_are_sent_store_each_once(tmp_path: Path, server: str) -> None:
    many = "for _ in range(8):\n    if os.fork() == 0: sys.exit()\n    steps(recorder, 10)\n"
    named = TRAINING.replace('"mine"', '"forked"')
    body = f"{named}\n{many}recorder.close('completed', 60)"

    code, _, err = ended(body, server, tmp_path)

    assert (code, err) == (0, "")
    run = Client(server, None).run("forked")
    texts = Counter(it["text"].split()[1] for it in run["notices"])
    assert texts == Counter(map(str, [*range(5), *8 * [*range(10)]]))
    assert len({it["text"].split()[0] for it in run["notices"]}) == 1
    assert run["status"] == "ended"
    assert list(tmp_path.iterdir()) == []


def test_child_of_a_fork_dies_of_sigterm_and_says_nothing(tmp_path: Path, closed: str) -> None:
    body = """
child = os.fork()
if child == 0:
    while True: time.sleep(0.01)
os.kill(child, signal.SIGTERM)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
recorder.close("completed")
"""

    code, out, _ = ended(body, closed, tmp_path)

    assert (code, out) == (0, "")


def test_child_that_gets_sigterm_as_it_begins_dies_of_it_and_says_nothing(
    tmp_path: Path, closed: str
) -> None:
    at_once = "os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGTERM))"
    body = """
child = os.fork()
if child == 0:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
recorder.close("completed")
"""

    code, out, err = ended(
        body, closed, tmp_path, script=f"import os, signal\n{at_once}\n{TRAINING}"
    )

    assert (code, out) == (0, ""), err
    ((*_, end),) = waiting(tmp_path)
    assert isinstance(end, wire.RunEnd)
    assert end.status == "completed"


FIT = """
import sys
import keras
import numpy as np
from gainstage import LayerMonitor

class Ready(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            print("ready", flush=True)

model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3)])
model.compile("sgd", "mse")
monitor = LayerMonitor(sys.argv[1], run="mine", spool=sys.argv[2], every=1)
x = np.ones((64, 4), np.float32)
model.fit(x, x[:, :3], epochs=10**6, verbose=0, batch_size=8, callbacks=[monitor, Ready()])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_fit_that_is_stopped_from_outside_leaves_every_frame_and_its_end(
    tmp_path: Path, closed: str, number: int
) -> None:
    code, out, _ = ended(FIT, closed, tmp_path, (number,), script="")

    assert code == -number
    ((start, schema, *frames, end),) = waiting(tmp_path)
    assert isinstance(start, wire.RunStart)
    assert isinstance(schema, wire.Schema)
    assert {type(frame) for frame in frames} == {wire.Frame}
    assert isinstance(end, wire.RunEnd)
    assert (end.status, end.frames) == ("interrupted", len(frames))
    assert f"run mine was interrupted after {len(frames)} frames" in out
