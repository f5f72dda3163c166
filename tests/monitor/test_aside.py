"""Work beside the training: what it returns, raises and costs, and that its thread ends."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gainstage.aside import Aside


@pytest.fixture
def aside() -> Iterator[Aside[Any]]:
    made = Aside[Any]()
    yield made
    made.close()


def test_work_is_done_one_after_the_other_in_one_thread_which_ends_when_it_is_told() -> None:
    before = set(threading.enumerate())
    aside = Aside[threading.Thread]()
    assert set(threading.enumerate()) == before

    threads = []
    for _ in range(2):
        aside.start(threading.current_thread)
        taken = aside.take()
        assert taken is not None
        threads.append(taken[0])
    aside.close()

    assert threads[0] is threads[1]
    assert threads[0] not in before
    assert set(threading.enumerate()) == before


def test_error_is_raised_where_the_result_is_taken(aside: Aside[Any]) -> None:
    def fail() -> None:
        raise OSError("disk full")

    aside.start(fail)
    aside.wait()

    assert aside.done
    with pytest.raises(OSError, match="disk full"):
        aside.take()
    assert aside.take() is None


def test_waiting_costs_nothing_and_computing_does(aside: Aside[Any]) -> None:
    gate = threading.Event()
    aside.start(lambda: gate.wait(60))
    assert not aside.done
    gate.set()
    waited = aside.take()

    aside.start(lambda: sum(i * i for i in range(2_000_000)))
    computed = aside.take()

    assert waited is not None
    assert waited[0]
    assert computed is not None
    assert computed[1] > 10 * waited[1] > 0
