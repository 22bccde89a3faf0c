"""What the counter does for CTP's own library: terminals, confirmation, broker's rules, position rows, rates,
status, statement.
"""

from __future__ import annotations

import sqlite3
import typing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.counter.desk import Rules
from app.counter.state import SCHEMA_VERSION, State
from app.counter.statement import statement_rows
from app.wire import frames as f
from tests.unit.counter.test_core import BUY, CLOSE, CLOSE_TODAY, OPEN, SELL, Counter, frames_of, life


class Fronts(Counter):
    """A counter spoken to as CTP's library does."""

    def ask(self, link: str, request: f.AnyRequestFrame) -> Any:
        """The first answer."""
        return frames_of(self.core.handle(link, request), link)[0]

    def enter(self, link: str = "td", user: str = "me", password: str = "secret") -> f.RspUserLogin:
        return self.ask(
            link, f.ReqUserLogin(front="td", BrokerID="9999", UserID=user, Password=password, native=True)
        )

    def watch(self, native: bool = True) -> f.RspUserLogin:
        """Log in at the market front."""
        return self.ask(
            "md", f.ReqUserLogin(front="md", BrokerID="9999", UserID="me", Password="secret", native=native)
        )

    def authenticate(self, link: str, code: str) -> int:
        return self.ask(
            link, f.ReqAuthenticate(BrokerID="9999", UserID="me", AppID="app", AuthCode=code)
        ).ErrorID

    def change_password(self, link: str, old: str, new: str) -> int:
        request = f.ReqUserPasswordUpdate(BrokerID="9999", UserID="me", OldPassword=old, NewPassword=new)
        return self.ask(link, request).ErrorID

    def confirm(self, link: str = "td") -> int:
        return self.ask(link, f.ReqSettlementInfoConfirm()).ErrorID

    def turn(self, day: str = "20250609", **settlement: float) -> None:
        self.market.turn(day, settlement)
        self.core.advance()

    def statement(self, link: str = "td", day: str = "") -> str:
        answers = frames_of(self.core.handle(link, f.ReqQry(what="settlement", TradingDay=day)), link)
        return b"".join(row.Content for answer in answers for row in answer.rows).decode("gb18030")

    def positions(self) -> dict[tuple[str, str, str], f.PositionField]:
        return {
            (row.InstrumentID, row.PosiDirection, row.PositionDate): row
            for row in self.rows("td", "position")
        }


@pytest.fixture
def fronts(tmp_path: Path):
    made = Fronts(tmp_path / "counter.db")
    for symbol in ("rb2510", "m2509"):
        made.quote(symbol, 2999, 5, 3001, 5)
    yield made
    made.state.close()


def test_only_known_terminals_log_in_when_the_broker_says_so(fronts):
    fronts.core.desk.rules = Rules(app_ids={"app": "right"})
    assert fronts.enter().ErrorID == 64
    assert fronts.authenticate("td", "wrong") == 63
    assert fronts.enter().ErrorID == 64
    assert fronts.authenticate("td", "right") == 0
    assert fronts.enter().ErrorID == 0
    assert fronts.log_in("sim", "other")[0].ErrorID == 0  # paper clients have no terminal
    fronts.core.disconnected("td")
    assert fronts.enter().ErrorID == 64  # once for each connection


def test_orders_of_a_native_client_wait_for_its_confirmation_every_day(fronts):
    fronts.enter()
    assert life(fronts.order("td", "rb2510", BUY, OPEN, 2990, 1), "td") == ["E42", "e42"]
    assert fronts.rows("td", "settlement_confirm") == []
    assert fronts.confirm() == 0
    assert fronts.rows("td", "settlement_confirm")[0].ConfirmDate == "20250606"
    assert life(fronts.order("td", "rb2510", BUY, OPEN, 2990, 1), "td") == ["a0", "33"]
    fronts.restart()
    fronts.enter()
    assert life(fronts.order("td", "rb2510", BUY, OPEN, 2990, 1), "td") == ["a0", "33"]
    fronts.turn()
    assert life(fronts.order("td", "rb2510", BUY, OPEN, 2990, 1), "td") == ["E42", "e42"]


def test_the_counter_is_not_ready_for_as_many_logins_as_it_was_told(fronts):
    fronts.core.desk.rules = Rules(uninitialised=2)
    assert [fronts.enter().ErrorID for _ in range(3)] == [7, 7, 0]


def test_wrong_passwords_in_a_row_lock_the_user_and_a_right_one_begins_anew(fronts):
    fronts.core.desk.rules = Rules(lock_after=2)
    assert fronts.enter().ErrorID == 0
    assert [fronts.enter("x", password=word).ErrorID for word in ("no", "secret", "no", "no", "secret")] == [
        3,
        0,
        3,
        3,
        75,
    ]


def test_a_market_front_verifies_that_a_user_of_ctps_library_has_logged_in_to_trading_on_this_day(fronts):
    assert fronts.watch().ErrorID == 3
    fronts.enter()
    assert fronts.watch().ErrorID == 0
    fronts.turn()
    assert fronts.watch().ErrorID == 3
    assert fronts.watch(native=False).ErrorID == 0  # the product's own interface
    fronts.core.desk.rules = Rules(login_verify=False)
    assert fronts.watch().ErrorID == 0


def test_the_number_of_sessions_has_its_bound(fronts):
    fronts.core.desk.rules = Rules(max_sessions=2)
    assert [fronts.enter(link).ErrorID for link in "abc"] == [0, 0, 60]
    assert fronts.enter("a").ErrorID == 0  # again on the same connection
    fronts.core.disconnected("b")
    assert fronts.enter("c").ErrorID == 0


def test_a_password_that_must_be_changed_can_be_changed_before_the_login(fronts):
    fronts.enter("first")
    fronts.core.desk.rules = Rules(must_change={"me": 140})
    assert fronts.enter().ErrorID == 140
    assert fronts.change_password("td", "wrong", "new") == 3
    assert fronts.change_password("td", "secret", "secret") == 142
    assert fronts.change_password("td", "secret", "new") == 0
    assert [fronts.enter(password=word).ErrorID for word in ("secret", "new")] == [3, 0]
    fronts.restart()
    assert fronts.enter(password="new").ErrorID == 0


def test_more_requests_a_second_than_allowed_are_refused_until_the_second_is_over(fronts):
    fronts.core.desk.rules = Rules(requests_a_second=2)
    fronts.enter()
    fronts.confirm()
    resting = [life(fronts.order("td", "rb2510", BUY, OPEN, 2990, 1), "td") for _ in range(3)]
    assert resting == [["a0", "33"], ["a0", "33"], ["E116", "e116"]]
    fronts.market.moment = fronts.market.moment.replace(second=fronts.market.moment.second + 2)
    assert life(fronts.order("td", "rb2510", BUY, OPEN, 2990, 1), "td") == ["a0", "33"]


@pytest.mark.parametrize(
    "changes", [{"CombHedgeFlag": "3"}, {"ContingentCondition": "2"}, {"ForceCloseReason": "1"}]
)
def test_what_the_counter_does_not_do_is_a_field_error(fronts, changes):
    fronts.enter()
    fronts.confirm()
    assert life(fronts.order("td", "rb2510", BUY, OPEN, 2990, 1, **changes), "td") == ["E15", "e15"]


def test_after_a_logout_nothing_is_heard_any_more(fronts):
    fronts.enter()
    assert fronts.ask("td", f.ReqUserLogout()).UserID == "me"
    assert frames_of(fronts.core.heartbeat(), "td") == []
    assert fronts.ask("td", f.ReqUserLogout()).ErrorID == 6
    assert fronts.ask("td", f.ReqQry(what="account")).ErrorID == 6


def test_a_quick_login_replays_nothing(fronts):
    fronts.enter()
    fronts.confirm()
    fronts.order("td", "rb2510", BUY, OPEN, 3001, 1)
    request = f.ReqUserLogin(
        front="td", BrokerID="9999", UserID="me", Password="secret", native=True, replay=False
    )
    heard = [type(frame) for frame in frames_of(fronts.core.handle("quick", request), "quick")]
    assert heard == [f.RspUserLogin, f.RtnInstrumentStatus]


def test_fees_are_not_rounded_for_a_native_client_and_to_the_cent_for_others(fronts):
    fronts.enter()
    fronts.confirm()
    for _ in range(3):
        fronts.order("td", "rb2510", BUY, OPEN, 3001, 1)
        fronts.quote("rb2510", 2999, 5, 3001, 5)
    fronts.order("td", "rb2510", SELL, CLOSE_TODAY, 2999, 1)
    fronts.log_in("sim")
    native, paper = fronts.money("td"), fronts.money("sim")
    assert (paper.Commission, native.Commission) == (15.0, pytest.approx(15.001, abs=1e-9))
    assert paper.Balance - native.Balance == pytest.approx(0.001, abs=1e-6)
    assert paper.Available - native.Available == pytest.approx(0.001, abs=1e-6)


def test_what_may_be_taken_out_is_what_is_available_without_the_floating_profit(fronts):
    fronts.log_in("td")
    fronts.order("td", "rb2510", BUY, OPEN, 3001, 2)
    assert (money := fronts.money("td")).WithdrawQuota == money.Available > 0
    fronts.quote("rb2510", 3010, 5, 3012, 5, last=3011)
    money = fronts.money("td")
    assert (money.PositionProfit, money.WithdrawQuota) == (200.0, money.Available - 200.0)


def test_the_status_of_every_product_comes_with_the_login_and_then_what_changes(fronts):
    fronts.core.handle(
        "td", f.ReqUserLogin(front="td", BrokerID="9999", UserID="me", Password="secret", native=True)
    )
    assert [type(frame) for frame in frames_of(fronts.core.heartbeat(), "td")] == [f.Heartbeat]
    fronts.market.phases["rb2510"] = "closed"
    _, status = frames_of(fronts.core.heartbeat(), "td")
    assert [(row.ExchangeID, row.InstrumentID, row.InstrumentStatus) for row in status.rows] == [
        ("SHFE", "rb", "1")
    ]
    fronts.log_in("sim", "other")
    fronts.market.phases["rb2510"] = "auction"
    assert [type(frame) for frame in frames_of(fronts.core.heartbeat(), "sim")] == [f.Heartbeat]


def test_positions_are_two_rows_where_lots_are_split_and_one_elsewhere(fronts):
    fronts.enter()
    fronts.confirm()
    for symbol in ("rb2510", "m2509"):
        fronts.order("td", symbol, BUY, OPEN, 3001, 2)
    fronts.turn(rb2510=3010, m2509=3010)
    fronts.confirm()
    for symbol in ("rb2510", "m2509"):
        fronts.quote(symbol, 2999, 5, 3001, 5)
        fronts.order("td", symbol, BUY, OPEN, 3001, 3)
    fronts.order("td", "rb2510", SELL, CLOSE_TODAY, 2999, 1)
    fronts.order("td", "rb2510", SELL, CLOSE, 3005, 2)  # rests: freezes yesterday's
    fronts.order("td", "m2509", SELL, CLOSE, 3005, 1)
    rows = fronts.positions()
    assert sorted(rows) == [("m2509", "2", "1"), ("rb2510", "2", "1"), ("rb2510", "2", "2")]
    today, history, whole = rows["rb2510", "2", "1"], rows["rb2510", "2", "2"], rows["m2509", "2", "1"]
    assert (today.YdPosition, today.Position, today.TodayPosition, today.ShortFrozen, today.CloseVolume) == (
        0,
        2,
        2,
        0,
        1,
    )
    assert (history.YdPosition, history.Position, history.TodayPosition, history.ShortFrozen) == (2, 2, 0, 2)
    assert (whole.YdPosition, whole.Position, whole.TodayPosition, whole.ShortFrozen, whole.LongFrozen) == (
        2,
        5,
        3,
        1,
        0,
    )
    assert (history.PositionCost, history.OpenCost) == (3010 * 2 * 10, 3001 * 2 * 10)
    assert sum(row.UseMargin for row in rows.values()) == fronts.money("td").CurrMargin
    assert sum(row.PositionProfit for row in rows.values()) == fronts.money("td").PositionProfit


def test_rates_are_answered_by_contract_and_by_product(fronts):
    fronts.enter()
    answer = frames_of(
        fronts.core.handle("td", f.ReqQry(what="margin_rate", InstrumentID="rb2510", RequestID=5)), "td"
    )[0]
    contract = fronts.market.listed["rb2510"]
    assert answer.RequestID == 5
    assert [(row.InstrumentID, row.LongMarginRatioByMoney) for row in answer.rows] == [
        ("rb2510", contract.LongMarginRatio)
    ]
    answer = frames_of(
        fronts.core.handle("td", f.ReqQry(what="commission_rate", InstrumentID="rb2510")), "td"
    )[0]
    assert [(row.InstrumentID, row.OpenRatioByMoney) for row in answer.rows] == [
        ("rb", contract.OpenRatioByMoney)
    ]
    assert (
        frames_of(fronts.core.handle("td", f.ReqQry(what="depth", InstrumentID="rb2510")), "td")[0]
        .rows[0]
        .BidPrice1
        == 2999
    )
    assert (
        frames_of(fronts.core.handle("td", f.ReqQry(what="depth", InstrumentID="nothing")), "td")[0].rows
        == []
    )


def test_the_statement_of_a_settled_day_says_its_money_trades_and_positions(fronts):
    fronts.enter()
    fronts.confirm()
    assert fronts.statement() == ""
    fronts.order("td", "rb2510", BUY, OPEN, 3001, 2)
    fronts.turn(rb2510=3010)
    text = fronts.statement()
    after = Decimal(str(fronts.money("td").PreBalance))
    for words in (
        "日期 Date：20250606",
        "客户号 Client ID：  me",
        "100000.00",
        f"{after:.2f}",
        "成交记录",
        "3001.000",
        "3010.000",
        "共 1 条",
    ):
        assert words in text
    gain = (3010 - 3001) * 2 * 10
    assert f"{gain:.2f}" in text
    assert text.startswith(" ")
    assert "\r\n" in text
    fronts.turn("20250610", rb2510=3000)
    assert fronts.statement(day="20250606") == text
    assert "20250609" in fronts.statement()
    assert fronts.statement(day="20240101") == ""
    fronts.restart()
    fronts.enter()
    assert fronts.statement(day="20250606") == text


def test_a_statement_is_cut_by_bytes_be_it_within_a_character():
    text = "a" + "结" * 600
    cut = [row.Content for row in statement_rows("9999", "me", "20250606", text)]
    assert [len(piece) for piece in cut] == [500, 500, 201]
    assert b"".join(cut).decode("gb18030") == text
    with pytest.raises(UnicodeDecodeError):
        cut[0].decode("gb18030")


def made(kind: type) -> Any:
    """An instance with something in every field."""
    plain = {str: "文", int: 7, float: 1.5, bool: True, bytes: b"\xff", list[str]: ["rb2510"]}
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.type in plain:
            values[field.name] = plain[field.type]
        elif typing.get_origin(field.type) is list:
            members = typing.get_args(typing.get_args(field.type)[0]) or typing.get_args(field.type)
            values[field.name] = [made(member) for member in members]
        else:
            values[field.name] = made(field.type)
    return kind(**values)


@pytest.mark.parametrize("kind", typing.get_args(f.AnyRequestFrame))
def test_each_request_survives_the_wire(kind):
    assert f.decode_request(f.encode(made(kind))) == made(kind)


@pytest.mark.parametrize("kind", typing.get_args(f.AnyCallbackFrame))
def test_each_callback_survives_the_wire_with_every_kind_of_row(kind):
    assert f.decode_callback(f.encode(made(kind))) == made(kind)


def test_a_counter_of_the_first_structure_gets_what_it_lacks(tmp_path):
    path = tmp_path / "old.db"
    State(path).close()
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE statements")
        db.execute("PRAGMA user_version = 1")
    db.close()
    state = State(path)
    state.save_statement(1, "20250606", "text")
    assert state.statement(1) == ("20250606", "text")
    state.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
    db.close()
