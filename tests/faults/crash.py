"""Death at a chosen instruction: before or after the nth call of a function, by SIGKILL."""

import functools
import inspect
import itertools
import os
import signal
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, NoReturn


class Crash(NamedTuple):
    """Where a process dies: at the `nth` call of `place`, one of those that it names itself."""

    place: str
    when: Literal["before", "after"]
    nth: int = 1


def die() -> NoReturn:
    """Ends this process at once; nothing of it is run any more."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL cannot be outlived.")


def arm(owner: Any, name: str, crash: Crash, *, counts: Callable[..., bool] | None = None) -> None:
    """Has the process die at a call of `owner.name`.

    Args:
        owner: A class or a module.
        name: A function of it, a coroutine function, or one that makes a context manager: of that,
            "before" is the end of its block and "after" is when it has been left.
        crash: When.
        counts: Tells by a call's arguments whether it counts; default: each does.
    """
    original = getattr(owner, name)
    calls = itertools.count(1)

    def due(*arguments: Any) -> bool:
        return (counts is None or counts(*arguments)) and next(calls) == crash.nth

    def reach(when: str, *, now: bool) -> None:
        if now and when == crash.when:
            die()

    @functools.wraps(original)
    def called(*args: Any, **kwargs: Any) -> Any:
        now = due(*args)
        reach("before", now=now)
        result = original(*args, **kwargs)
        reach("after", now=now)
        return result

    @functools.wraps(original)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        now = due(*args)
        reach("before", now=now)
        result = await original(*args, **kwargs)
        reach("after", now=now)
        return result

    @contextmanager
    def entered(*args: Any, **kwargs: Any) -> Any:
        now = due(*args)
        with original(*args, **kwargs) as entry:
            yield entry
            reach("before", now=now)
        reach("after", now=now)

    if inspect.iscoroutinefunction(original):
        setattr(owner, name, awaited)
    elif inspect.isgeneratorfunction(inspect.unwrap(original)):
        setattr(owner, name, entered)
    else:
        setattr(owner, name, called)
