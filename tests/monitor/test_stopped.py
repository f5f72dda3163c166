"""SIGTERM at every moment of a training, and several trainings that end at once, in processes."""

import signal
from pathlib import Path

import pytest

from gainstage import wire
from gainstage.client import Client

from .scripts import ENDLESS, ended, waiting

# Nobody waits so long for the end.
PATIENT = "from gainstage import endings\nendings.TERM_SECONDS = 3_600.0\n"
# Longer than any test, and in C, where no handler of Python's is called.
IN_C = "import hashlib\nprint('ready', flush=True)\nhashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"
IN_AN_APPEND = """
from gainstage.spool import Spool
append = Spool.append
def slowly(*arguments, **options):
    print("ready", flush=True)
    time.sleep(1)
    append(*arguments, **options)
Spool.append = slowly
steps(recorder, 1)
while True: time.sleep(0.01)
"""
# Of the user's, set after the training began; it goes on to the one that it found.
CHAINED = """
def own(*arguments):
    print("own", flush=True)
    before(*arguments)
before = signal.signal(signal.SIGTERM, own)
"""
# Such as asyncio's, where it handles signals.
WATCHED = """
import socket
ear, mouth = socket.socketpair()
mouth.setblocking(False)
signal.set_wakeup_fd(mouth.fileno())
recorder.close("completed")
recorder = begin()
assert signal.set_wakeup_fd(mouth.fileno()) == mouth.fileno()
"""


@pytest.mark.parametrize("body", [IN_C, IN_AN_APPEND, CHAINED + ENDLESS, WATCHED + ENDLESS])
def test_sigterm_ends_the_run_and_then_the_process(tmp_path: Path, closed: str, body: str) -> None:
    code, out, err = ended(PATIENT + body, closed, tmp_path, (signal.SIGTERM,))

    assert code == -signal.SIGTERM, err
    assert "run mine was interrupted after 0 frames." in out
    ends = [messages[-1] for messages in waiting(tmp_path)]
    assert [isinstance(end, wire.RunEnd) for end in ends] == [True] * (1 + body.count("begin()"))
    assert [getattr(end, "status", "") for end in ends].count("interrupted") == 1


def test_handler_that_the_user_sets_later_is_called_alone(tmp_path: Path, closed: str) -> None:
    own = "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), os._exit(5)))\n"

    code, out, _ = ended(own + ENDLESS, closed, tmp_path, (signal.SIGTERM,))

    assert (code, out) == (5, "")


def test_other_signals_end_nothing(tmp_path: Path, closed: str) -> None:
    body = """
signal.signal(signal.SIGUSR1, lambda *_: None)
os.kill(os.getpid(), signal.SIGUSR1)
time.sleep(0.5)
steps(recorder, 1)
recorder.close("completed")
assert signal.set_wakeup_fd(-1) == -1
"""

    code, out, err = ended(body, closed, tmp_path)

    assert (code, out) == (0, ""), err
    ((*messages, end),) = waiting(tmp_path)
    assert len(messages) == 7
    assert isinstance(end, wire.RunEnd)
    assert end.status == "completed"


# The first is the one that fails.
THREE = """
from gainstage.outbox import Outbox
others = [begin() for _ in range(2)]
end = Outbox.end
def failing(self, status):
    if self is recorder._outbox:
        raise ValueError("broken")
    print("end", [it._outbox for it in others].index(self), flush=True)
    end(self, status)
Outbox.end = failing
"""


def test_runs_end_newest_first_and_in_spite_of_one_that_cannot(tmp_path: Path, closed: str) -> None:
    code, out, err = ended(THREE, closed, tmp_path)

    assert code == 0
    assert out.splitlines()[:2] == ["end 1", "end 0"]
    assert "A run could not be ended. ValueError: broken" in err
    last = [messages[-1] for messages in waiting(tmp_path)]
    assert sum(isinstance(it, wire.RunEnd) for it in last) == 2


# Each has a server that shakes hands and takes nothing.
DEAF = """
import threading
from websockets.sync.server import serve
over = threading.Event()
server = serve(lambda connection: over.wait(), "127.0.0.1", 0)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.argv[1] = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
recorders = [begin() for _ in range(8)]
for one in recorders:
    assert one._outbox._uplink.meets(60)
import atexit
began = []
atexit.register(lambda: began.append(time.monotonic()))
from gainstage import endings
interrupt = endings.interrupt
def timed(attempts):
    interrupt(attempts)
    print("took", time.monotonic() - began[0], flush=True)
endings.interrupt = timed
"""


def test_runs_that_end_together_wait_no_longer_than_one(tmp_path: Path, closed: str) -> None:
    code, out, err = ended(DEAF, closed, tmp_path)

    assert code == 0, err
    (took,) = [float(line.split()[1]) for line in out.splitlines() if line.startswith("took ")]
    assert took < 2 * 5


FORGOTTEN = """
import gc, weakref
class Model: pass
recorder.model, there = Model(), weakref.ref(recorder)
model = weakref.ref(recorder.model)
del recorder
gc.collect()
assert there() is None and model() is None
from gainstage import endings
while endings._endings.open: time.sleep(0.01)
print("gone", flush=True)
"""


def test_run_that_nobody_holds_any_more_ends(tmp_path: Path, server: str) -> None:
    code, out, err = ended(FORGOTTEN, server, tmp_path)

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"gainstage: run mine was interrupted after 0 frames: {server}/runs/mine",
        "gone",
    ]
    assert Client(server, None).run("mine")["status"] == "ended"
    assert list(tmp_path.iterdir()) == []
