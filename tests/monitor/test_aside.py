"""Work beside the training: what it returns, raises and costs, and that its thread ends."""

import threading

import pytest

from gainstage.aside import Aside


def test_work_is_done_in_another_thread_which_ends_with_it() -> None:
    before = set(threading.enumerate())

    aside = Aside(threading.current_thread)

    assert aside.result() is aside
    assert set(threading.enumerate()) == before


def test_error_is_raised_where_the_result_is_asked_for() -> None:
    def fail() -> None:
        raise OSError("disk full")

    aside = Aside(fail)

    with pytest.raises(OSError, match="disk full"):
        aside.result()


def test_waiting_costs_nothing_and_computing_does() -> None:
    gate = threading.Event()
    waiting = Aside(lambda: gate.wait(60))
    computing = Aside(lambda: sum(i * i for i in range(2_000_000)))
    computing.join()
    gate.set()

    assert waiting.result()
    assert computing.seconds > 10 * waiting.seconds > 0
