"""What is found in a strategy that pylint cannot know, and what is left in peace."""

from __future__ import annotations

import pytest

from app.lib.strategy_check import CALLBACKS, check


def strategy(methods: str, imports: str = "", end: str = 'ext = Mine("a")\n') -> str:
    """A class with these methods, the first on line 5 when there are no imports."""
    body = "\n".join(f"    {line}" for line in methods.splitlines())
    return f"from ctpbee import CtpbeeApi\n{imports}\n\nclass Mine(CtpbeeApi):\n{body}\n\n\n{end}"


def found(text: str) -> list[tuple[str, int]]:
    return [(finding["error"], finding["line"]) for finding in check(text)]


def test_an_ordinary_strategy_gives_nothing_to_say() -> None:
    methods = "\n".join(f"def {name}(self{', x' * given}):\n    pass" for name, given in CALLBACKS.items())
    assert check(strategy(methods)) == []


@pytest.mark.parametrize(
    "method",
    [
        "def on_tick(self, tick, extra=None):\n    pass",
        "def on_tick(self, *args):\n    pass",
        "def on_tick(self, tick, *, quiet=True):\n    pass",
        "def on_tick(self, tick, /):\n    pass",
        "def on_realtime(self):\n    pass",
        "def on_realtime(self, now=None):\n    pass",
        "@staticmethod\ndef on_tick(*args):\n    pass",
        "def on_my_own(self):\n    pass",
    ],
)
def test_a_callback_that_can_be_called_as_ctpbee_does_is_right(method: str) -> None:
    assert found(strategy(method)) == []


@pytest.mark.parametrize(
    "method",
    [
        "def on_tick():\n    pass",
        "def on_tick(self):\n    pass",
        "def on_tick(self, tick, bar):\n    pass",
        "def on_tick(self, tick, *, loud):\n    pass",
        "def on_bar(self):\n    pass",
        "def on_init(self):\n    pass",
        "def on_realtime(self, now):\n    pass",
    ],
)
def test_a_callback_with_a_wrong_signature_is_named_with_its_line(method: str) -> None:
    assert found(strategy(method)) == [("wrong-callback-signature", 5)]


def test_a_callback_that_nobody_awaits_is_found() -> None:
    assert found(strategy("async def on_tick(self, tick):\n    pass")) == [("async-callback", 5)]


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("import time", "time.sleep(1)"),
        ("import time as t", "t.sleep(1)"),
        ("from time import sleep", "sleep(1)"),
        ("from time import sleep as wait", "wait(1)"),
        ("import requests", "requests.get('http://a')"),
        ("from requests import Session", "Session().get('http://a')"),
        ("import urllib.request", "urllib.request.urlopen('http://a')"),
        ("from urllib import request", "request.urlopen('http://a')"),
        ("import socket", "socket.create_connection(('a', 1))"),
        ("import subprocess", "subprocess.run(['ls'])"),
        ("import os", "os.system('ls')"),
        ("", "input('?')"),
    ],
)
def test_a_call_that_waits_is_found_in_a_callback(imports: str, call: str) -> None:
    assert found(strategy(f"def on_tick(self, tick):\n    x = [{call}]", imports)) == [("blocking-call", 6)]


def test_it_is_found_in_what_a_callback_calls_and_told_with_that_callback() -> None:
    text = (
        strategy("def on_bar(self, bar):\n    self.fetch()\ndef fetch(self):\n    helper()", "import time")
        + "\n\ndef helper():\n    time.sleep(1)\n"
    )
    (finding,) = check(text)
    assert finding["line"] == 15
    assert "on_bar" in finding["message"]
    assert "time.sleep" in finding["message"]
    assert finding["error_info"]


@pytest.mark.parametrize(
    "body",
    [
        "time.perf_counter()",
        "self.sleep(1)",
        "later = lambda: time.sleep(1)",
        "def later():\n        time.sleep(1)",
        "socket = 1\n    print(socket)",
        "while True:\n        break",
        "while True:\n        return",
        "while True:\n        raise ValueError",
        "while True:\n        for x in ():\n            pass\n        else:\n            break",
        "while self.x:\n        pass",
    ],
)
def test_what_does_not_wait_is_left_in_peace(body: str) -> None:
    assert found(strategy(f"x = 0\ndef on_tick(self, tick):\n    {body}", "import time")) == []


def test_waiting_outside_of_the_callbacks_is_the_traders_own_business() -> None:
    assert found(strategy("def fetch(self):\n    time.sleep(1)", "import time")) == []


@pytest.mark.parametrize(
    "body", ["while True:\n        pass", "while 1:\n        for x in ():\n            break"]
)
def test_a_loop_without_a_way_out_is_found(body: str) -> None:
    assert found(strategy(f"def on_order(self, order):\n    {body}")) == [("endless-loop", 6)]


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ("", "no-ext"),
        ("ext = Mine('a')\next = Mine('b')", "ext-twice"),
        ("ext = dict(a=1)", "wrong-base-class"),
        ("ext = Mine", "bad-ext"),
        ("ext = Mine()", "no-name"),
        ("ext = Mine('../a')", "bad-name"),
    ],
)
def test_what_keeps_a_text_from_being_saved_is_told_before(end: str, error: str) -> None:
    assert [name for name, _ in found(strategy("pass", end=end))] == [error]


def test_a_syntax_error_is_left_to_pylint_and_what_cannot_be_read_is_not() -> None:
    assert found("class A(:") == []
    assert found("x = '\0'") == [("unreadable-code", 1)]
    assert found("9" * 10_000) == []  # a syntax error to Python too
    assert found("-" * 200_000 + "1") == [("unreadable-code", 1)]


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("from datetime import datetime", "datetime.now()"),
        ("import datetime as dt", "dt.datetime.now()"),
        ("from datetime import date", "date.today()"),
        ("import time", "time.time()"),
        ("from time import time", "time()"),
        ("import pandas as pd", "pd.Timestamp.now()"),
    ],
)
def test_the_machines_clock_in_a_callback_is_found_since_a_backtest_has_another(
    imports: str, call: str
) -> None:
    text = f"""{imports}
from ctpbee import CtpbeeApi

class Mine(CtpbeeApi):
    def on_tick(self, tick):
        self.look()
    def look(self):
        return {call}

ext = Mine("mine")
"""
    (finding,) = check(text)
    assert (finding["code"], finding["line"]) == ("B9022", 8)
    assert "是本机的钟" in finding["message"]


@pytest.mark.parametrize(
    ("imports", "expression"),
    [
        ("from datetime import datetime", "datetime.fromisoformat(tick.trading_day)"),
        ("from datetime import datetime", "tick.datetime.time()"),
        ("", "self.time()"),
    ],
)
def test_the_markets_own_time_is_left_in_peace(imports: str, expression: str) -> None:
    text = f"""{imports}
from ctpbee import CtpbeeApi

class Mine(CtpbeeApi):
    def on_tick(self, tick):
        return {expression}

ext = Mine("mine")
"""
    assert check(text) == []
