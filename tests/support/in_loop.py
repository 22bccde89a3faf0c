"""To run something in an event thread from the test's thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from app.process.event_loop import EventLoop

T = TypeVar("T")


def in_loop(loop: EventLoop, function: Callable[[], T]) -> T:
    """What `function` gives back, or raises, in the loop's thread."""
    future: Future[T] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    loop.post(call)
    return future.result(30)
