"""What a strategy's text may look like, what is refused with which line, and that no text and no name gets
any further than that.
"""

from __future__ import annotations

import ast
import contextlib
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.lib import strategy_lib
from app.lib.errors import AppError
from app.lib.strategy_lib import BadCode, StrategyText, is_safe_name, parse

GOOD = """from ctpbee import CtpbeeApi


class Mine(CtpbeeApi):
    def on_tick(self, tick):
        pass


ext = Mine("双均线_1")
"""


def refused(text: str) -> BadCode:
    with pytest.raises(BadCode) as caught:
        parse(text)
    return caught.value


def test_name_and_line_are_found_without_running_anything() -> None:
    assert parse("raise SystemExit\n" + GOOD) == StrategyText("双均线_1", 10, (), {})


@pytest.mark.parametrize(
    "text",
    [
        "from ctpbee import CtpbeeApi as X\nclass A(X): pass\next = A('n')",
        "from ctpbee.level import CtpbeeApi\nclass A(CtpbeeApi): pass\next = A('n')",
        "import ctpbee\nclass A(ctpbee.CtpbeeApi): pass\next = A('n')",
        "import ctpbee as c\nclass A(c.CtpbeeApi): pass\next = A('n')",
        "import ctpbee.level\nclass A(ctpbee.level.CtpbeeApi): pass\next = A('n')",
        "import ctpbee.level as l\nclass A(l.CtpbeeApi): pass\next = A('n')",
        "from ctpbee import level\nclass A(level.CtpbeeApi): pass\next = A('n')",
        "from ctpbee import *\nclass A(CtpbeeApi): pass\next = A('n')",
        "try:\n    from ctpbee import CtpbeeApi\nexcept ImportError:\n    pass\nclass A(CtpbeeApi): "
        "pass\next = A('n')",
        "from ctpbee import CtpbeeApi\nclass A(CtpbeeApi): pass\nclass B(object, A): pass\next: B = B('n')",
        "\ufefffrom ctpbee import CtpbeeApi\r\nclass A(CtpbeeApi): pass\r\next = A('n')\r\n",
        "# -*- coding: utf-8 -*-\nfrom ctpbee import CtpbeeApi\nclass A(CtpbeeApi): pass\next = "
        "A(extension_name='n')",
        "from ctpbee import CtpbeeApi\nclass A(CtpbeeApi):\n    def f(self):\n        ext = 1\n        "
        "return ext\next = A('n')",
        "from ctpbee import CtpbeeApi\nclass A(CtpbeeApi): pass\nx = [ext for ext in (1, 2)]\next = A('n')",
    ],
)
def test_the_base_class_may_come_under_any_name(text: str) -> None:
    assert parse(text).name == "n"


def test_further_literal_arguments_are_kept() -> None:
    found = parse(GOOD.replace('"双均线_1"', '"a", ["rb2510.SHFE"], -1.5, init_position=True'))
    assert (found.args, found.keywords) == ((["rb2510.SHFE"], -1.5), {"init_position": True})


CLASS = "from ctpbee import CtpbeeApi\nclass A(CtpbeeApi): pass\n"


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("", "NO_EXT", None),
        (CLASS, "NO_EXT", None),
        ("class A(:\n", "SYNTAX_ERROR", 1),
        (CLASS + "return 1", "SYNTAX_ERROR", 3),
        (CLASS + "ext = A('a')\next = A('b')", "EXT_TWICE", 4),
        (CLASS + "ext = A('a')\ndel ext", "EXT_TWICE", 4),
        (CLASS + "ext = A('a')\nimport os as ext", "EXT_TWICE", 4),
        (CLASS + "ext = A('a')\ndef ext(): pass", "EXT_TWICE", 4),
        (CLASS + "ext = A('a')\nfor ext in (): pass", "EXT_TWICE", 4),
        (CLASS + "ext = A('a')\n[(ext := 1) for _ in ()]", "EXT_TWICE", 4),
        (CLASS + "ext = A('a')\ndef f():\n    global ext", "EXT_TWICE", 5),
        (CLASS + "if True:\n    ext = A('a')", "BAD_EXT", 4),
        (CLASS + "ext, b = A('a'), 1", "BAD_EXT", 3),
        (CLASS + "a = ext = A('a')", "BAD_EXT", 3),
        (CLASS + "ext = A", "BAD_EXT", 3),
        (CLASS + "ext = A('a', open('/etc/passwd'))", "BAD_EXT", 3),
        (CLASS + "ext = A('a', **{})", "BAD_EXT", 3),
        (CLASS + "ext = A(*['a'])", "BAD_EXT", 3),
        (CLASS + "name = 'a'\next = A(name)", "BAD_EXT", 4),
        (CLASS + "ext = A()", "NO_NAME", 3),
        (CLASS + "ext = A(1)", "NO_NAME", 3),
        (CLASS + "ext = A(b'a')", "NO_NAME", 3),
        (CLASS + "ext = dict('a')", "WRONG_CLASS", 3),
        (CLASS + "ext = CtpbeeApi('a')", "WRONG_CLASS", 3),
        (CLASS + "ext = (lambda name: name)('a')", "WRONG_CLASS", 3),
        (CLASS + "class A: pass\next = A('a')", "WRONG_CLASS", 4),
        ("from mine import CtpbeeApi\nclass A(CtpbeeApi): pass\next = A('a')", "WRONG_CLASS", 3),
        ("from .ctpbee import CtpbeeApi\nclass A(CtpbeeApi): pass\next = A('a')", "WRONG_CLASS", 3),
        ("from ctpbee import CtpbeeApi\next = A('a')\nclass A(CtpbeeApi): pass", "WRONG_CLASS", 2),
        (CLASS + "ext = A('../a')", "BAD_NAME", 3),
        (CLASS + "\n\0", "BAD_CODE", 4),
        (CLASS + "# \ufffd", "NOT_UTF8", 3),
        (CLASS + "# \ud800", "NOT_UTF8", None),
        ("# coding: gbk\n" + CLASS + "ext = A('a')", "NOT_UTF8", 1),
        ("# coding: nonsense\n" + CLASS + "ext = A('a')", "NOT_UTF8", 1),
        (CLASS + "#" * strategy_lib.MAX_BYTES, "CODE_TOO_LONG", None),
    ],
)
def test_what_is_refused_names_the_line_and_the_reason(text: str, code: str, line: int | None) -> None:
    error = refused(text)
    assert (error.code, error.extra["line"], error.extra["parameter"]) == (code, line, "text")
    assert len(error.message) < 200
    again = AppError.rebuild("BadCode", error.code, error.message, error.extra)
    assert isinstance(again, BadCode)
    assert again.extra == error.extra


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "-" * 200_000 + "1",
        "x" + ".a" * 100_000,
        "1" + "+1" * 100_000,
        "f" + "()" * 100_000,
        "if a: pass\n" + "elif a: pass\n" * 15_000,
        "9" * 200_000,
        "lambda: " * 30_000 + "1",
        "x = ((('a' * 4000) * 4000) * 4000) * 4000",
        "class A(x" + ".a" * 900 + "): pass",
        CLASS + "ext = x" + ".a" * 900 + "('a')",
        CLASS + "ext = A('a', " + "(" * 150 + ")" * 150 + ")",
    ],
    ids=lambda text: text[-20:],
)
def test_nested_and_huge_texts_are_clean_refusals(text: str) -> None:
    with contextlib.suppress(BadCode):
        parse(text)


@pytest.mark.parametrize("name", ["a", "A-1", "_x", "双均线", "double_ma", "策略-2", "x" * 64, "1m", "match"])
def test_ordinary_names_are_safe(name: str) -> None:
    assert is_safe_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../a",
        "a/b",
        "a\\b",
        "a.py",
        ".a",
        "-a",
        "a b",
        "a\n",
        "a\0",
        "x" * 65,
        "x" * 300,
        "class",
        "None",
        "con",
        "COM1",
        "é",
        "a:b",
    ],
)
def test_names_that_are_no_file_names_everywhere_are_not(name: str) -> None:
    assert not is_safe_name(name)


@given(st.text(max_size=80) | st.from_regex(strategy_lib.SAFE_NAME, fullmatch=True))
def test_a_safe_name_never_leaves_its_directory(name: str) -> None:
    if is_safe_name(name):
        for path in (PurePosixPath("/s", f"{name}.py"), PureWindowsPath("c:/s", f"{name}.py")):
            assert path.parent.name == "s"
            assert path.stem == name
            assert not PureWindowsPath(f"{name}.py").is_reserved()
        assert len(f"{name}.py".encode()) < 255


WORDS = (
    "ext = A ( ) 'a' class A(CtpbeeApi) : pass import ctpbee from as , [ ] def global # lambda for in * "
    "if try except match case _ f'{ }'"
)
PIECES = st.sampled_from([*WORDS.split(), "\n", " ", "    ", "\0", "\t", "\\", "'''"])


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=200)
    | st.lists(PIECES, max_size=40).map(" ".join)
    | st.lists(PIECES, max_size=20).map(lambda part: CLASS + "".join(part))
)
def test_no_text_does_more_than_to_be_refused(text: str) -> None:
    try:
        found = parse(text)
    except BadCode:
        return
    assert is_safe_name(found.name)
    ast.parse(text.removeprefix("\ufeff"))
