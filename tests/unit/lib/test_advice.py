"""The counter's ids: each of docs/domain.md is known, says who refused and what to do, and stands in
docs/errors.md.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.bee.fields import PASSING_LOGIN_ERRORS
from app.lib.advice import COUNTER, LOCKED, advice_of, counter_text, refusal_text, refused_by
from app.lib.error_page import page

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"


def ids_of_the_domain() -> set[int]:
    text = (DOCS / "domain.md").read_text("utf-8")
    section = text[text.index("（Error ids）") : text.index("（More in ctpbee）")]
    listed = section[: section.index("**75")]
    return {int(number) for number in re.findall(r"(?<![\d.])\d{1,4}(?!\d)", re.sub(r"\(.*?\)", "", listed))}


def test_every_id_of_the_domain_has_words_and_advice() -> None:
    assert ids_of_the_domain() == COUNTER.keys()
    assert all(known.text and known.where and known.advice for known in COUNTER.values())


def test_the_page_is_what_the_tables_say() -> None:
    assert (DOCS / "errors.md").read_text("utf-8") == page(), "python -m app.lib.error_page > docs/errors.md"


def test_every_code_that_is_answered_stands_on_a_page() -> None:
    commands = ROOT / "app" / "commands"
    answered = {
        code
        for path in (ROOT / "app").rglob("*.py")
        if not path.is_relative_to(commands)
        for code in re.findall(r'code="([A-Z_]+)"', path.read_text("utf-8"))
    }
    pages = page() + "".join((DOCS / name).read_text("utf-8") for name in ("api.md", "backtest.md"))
    assert "LOADING" in answered
    assert sorted(code for code in answered if not re.search(rf"\b{code}\b", pages)) == []


def test_lock_outs_are_never_among_what_is_asked_again() -> None:
    assert not LOCKED & PASSING_LOGIN_ERRORS
    assert all("不要再试" in COUNTER[number].advice for number in LOCKED)


@pytest.mark.parametrize(
    ("code", "who"),
    [
        ("CTP_31", "counter"),
        ("CTP_9999", "counter"),
        ("NEVER_ARRIVED", "counter"),
        ("EXCHANGE_REJECT", "exchange"),
        ("NEVER_SENT_TOO_FAST", "us"),
        ("BAD_INPUT", "us"),
    ],
)
def test_a_code_says_who_refused(code: str, who: str) -> None:
    assert refused_by(code) == who


def test_a_text_keeps_the_counters_words_and_gets_our_line_once() -> None:
    assert (
        refusal_text("CTP_31", "CTP：资金不足") == "CTP：资金不足。可用资金不足，请减少手数、撤掉挂单或入金"
    )
    assert refusal_text("CTP_31", refusal_text("CTP_31", "CTP：资金不足")) == refusal_text(
        "CTP_31", "CTP：资金不足"
    )
    assert refusal_text("EXCHANGE_REJECT", "合约未开市") == "合约未开市"
    assert counter_text(31) == "资金不足"
    assert counter_text(4711) == "柜台返回错误 4711"
    assert advice_of("") == advice_of("NOT_READY") == ""
