"""Futures of answers that come later. Pure; gateway process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from app.lib.errors import AppError

T = TypeVar("T")


def done(result: T) -> Future[T]:
    """A future that has its result."""
    future: Future[T] = Future()
    future.set_result(result)
    return future


def then(asked: Future[Any], answer: Callable[[Any], T]) -> Future[T]:
    """What `answer` makes of the result, or raises; or what went wrong before."""
    future: Future[T] = Future()

    def hand_on(ended: Future[Any]) -> None:
        try:
            future.set_result(answer(ended.result()))
        except AppError as error:
            future.set_exception(error)

    asked.add_done_callback(hand_on)
    return future
