"""app/gateway/logbook.py: the page's log, and the password that is in none."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.gateway.logbook import KEPT, LogBook, Secret

PASSWORD = "hunter2-secret"


def a_book() -> tuple[LogBook, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    book = LogBook("sim-9999-demo", lambda function, *args: function(*args), told.append)
    book.addFilter(Secret(PASSWORD))
    return book, told


def a_record(
    message: str, *args: Any, name: str = "account.order", level: int = logging.INFO
) -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, message, args, None)


def test_a_line_has_the_shape_that_pages_know() -> None:
    book, told = a_book()
    book.handle(a_record("报单 %s 已发出", "1_2_3"))
    (line,) = told
    assert set(line) == {"created", "name", "levelname", "owner", "message"}
    assert (line["name"], line["levelname"], line["owner"], line["message"]) == (
        "sim-9999-demo",
        "INFO",
        "order",
        "报单 1_2_3 已发出",
    )
    assert len(line["created"]) == len("2024-12-02 21:00:00")


@pytest.mark.parametrize(
    ("level", "word"),
    [
        (logging.INFO, "INFO"),
        (logging.WARNING, "WARNING"),
        (logging.ERROR, "ERROR"),
        (logging.CRITICAL, "ERROR"),
    ],
)
def test_the_level_is_one_of_the_words_that_pages_know(level: int, word: str) -> None:
    book, told = a_book()
    book.handle(a_record("x", level=level))
    assert told[0]["levelname"] == word


def test_our_own_workings_stay_in_the_file_unless_something_is_wrong() -> None:
    book, told = a_book()
    book.handle(a_record("43 frames", name="app.wire.rpc"))
    assert told == []
    book.handle(a_record("peer does not read", name="app.wire.channel", level=logging.WARNING))
    assert len(told) == 1


def test_the_last_500_are_kept_oldest_first() -> None:
    book, _ = a_book()
    for number in range(KEPT + 7):
        book.handle(a_record(str(number)))
    assert [line["message"] for line in book.lines] == [str(number) for number in range(7, KEPT + 7)]


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_line_has_the_password_wherever_it_came_from(before: str, after: str) -> None:
    book, told = a_book()
    book.handle(a_record("%s" + before.replace("%", "%%") + PASSWORD + after.replace("%", "%%"), PASSWORD))
    assert PASSWORD not in told[0]["message"]


def test_a_traceback_that_quotes_the_password_is_cleaned() -> None:
    try:
        raise ValueError(f"login with {PASSWORD} failed")
    except ValueError as error:
        record = logging.LogRecord(
            "x", logging.ERROR, __file__, 1, "oops", (), (type(error), error, error.__traceback__)
        )
    Secret(PASSWORD).filter(record)
    assert PASSWORD not in logging.Formatter().format(record)


@pytest.mark.parametrize(
    ("password", "text", "clean"),
    [("12", "at 12:30, 312 lots", "at ***:30, 312 lots"), ("", "as it is", "as it is")],
)
def test_a_short_password_is_hidden_only_where_it_stands_alone(password: str, text: str, clean: str) -> None:
    assert Secret(password).clean(text) == clean
