"""The statement that the counter wants confirmed before the first order, shown by the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.ctp_server import CtpServer
from tests.e2e.page.screen import Screen
from tests.e2e.server import Trader


@pytest.fixture
def careful(tmp_path: Path) -> Iterator[CtpServer]:
    """Its traders confirm by hand."""
    server = CtpServer(tmp_path / "data", settlement_confirm="false")
    yield server.start()
    server.clean()


def test_what_the_counter_wants_confirmed_is_shown_and_once_it_is_it_takes_orders(
    careful: CtpServer, tab: Callable[..., Screen]
) -> None:
    trader = Trader(careful, "reader").log_in()
    quote = trader.fix_quote("rb2510.SHFE")

    def confirm(text: str) -> None:
        assert trader.order("rb2510.SHFE", "long", "open", quote.ask, 1)["error"] == "CTP_42"
        screen = tab(careful)
        screen.forgive("404")  # no statement: the answer has that status
        dialog = screen.enter(trader).page.get_by_role("dialog", name="结算单")
        expect(dialog).to_contain_text(text)
        screen.check_access()
        screen.shot(f"settlement-{text}")
        dialog.get_by_role("button", name="确认结算单").click()
        expect(dialog).to_be_hidden()
        assert trader.order("rb2510.SHFE", "long", "open", quote.ask, 1)["success"]

    confirm("没有这个账户的结算单")
    page = trader.open_page()
    careful.faults().turn_day({"rb2510": quote.bid})
    page.wait("status", lambda event: event["td"]["state"] == "loading", 30)
    page.settles("status", lambda event: event["td"]["state"] == "ready", 30)
    confirm("rb2510")
