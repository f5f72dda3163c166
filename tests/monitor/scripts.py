"""Trainings as scripts, in processes of their own that may be stopped."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from gainstage import wire
from gainstage.spool import Spool

# A recorder as a training has one, without a model: it adds a notice where a step would sample.
TRAINING = """
import os, signal, sys, time
from pathlib import Path
from gainstage.recorder import Recorder, RunIdentity

def begin():
    identity = RunIdentity("mine", "p", (), {}, 0)
    return Recorder(identity, {}, url=sys.argv[1], token=None, folder=Path(sys.argv[2]))

def steps(recorder, count):
    for number in range(count):
        recorder.notice("info", "step", f"{os.getpid()} {number}")

recorder = begin()
steps(recorder, 5)
"""
ENDLESS = "print('ready', flush=True)\nwhile True: time.sleep(0.01)"


@contextmanager
def training(script: str, url: str, folder: Path) -> Generator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", script, url, str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(
    body: str, url: str, folder: Path, signals: tuple[int, ...] = (), script: str = TRAINING
) -> tuple[int, str, str]:
    """Exit status, output and errors of a training; `signals` are sent when it is ready."""
    with training(f"{script}\n{body}", url, folder) as process:
        if signals:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for number in signals:
            process.send_signal(number)
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def waiting(folder: Path) -> list[list[wire.AnyMessage]]:
    """What each spool in `folder` holds."""
    found = []
    for path in sorted(folder.glob("*.spool")):
        spool = Spool(path)
        found.append([wire.decode_header(body) for _, body in spool.after(-1, 100_000)])
        spool.close()
    return found
