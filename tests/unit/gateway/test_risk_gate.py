"""The gate before the order desk: what it stops, what it counts, what it tells; over a restart, a replay, a
day's turn and another terminal's orders. A real ledger, journal and store; a clock driven by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from ctpbee.constant import Direction, Exchange, Offset, OrderRequest, OrderType

from app.bee import fields
from app.bee.fields import request_words
from app.gateway.risk.gate import Gate
from app.interfaces.ledger import Ledger
from app.lib import rows, thresholds
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput, OrderRefused
from app.model.sqlite import SqliteStore
from app.model.store import Intent
from app.wire.frames import OrderField, TradeField
from tests.fakes.front import DAY, account, instrument, order, trade

NOW = datetime(2025, 6, 9, 9, 30, tzinfo=SHANGHAI)
KEY = ("contract", "rb2510")


def asked(price: float = 3000.0, volume: int = 2, **more: Any) -> OrderRequest:
    values: dict[str, Any] = {
        "symbol": "rb2510",
        "exchange": Exchange.SHFE,
        "direction": Direction.LONG,
        "offset": Offset.OPEN,
        "type": OrderType.LIMIT,
        "price": price,
        "volume": volume,
    }
    return OrderRequest(**values | more)


def close(price: float = 3000.0, volume: int = 1, **more: Any) -> OrderRequest:
    return asked(price, volume, direction=Direction.SHORT, offset=Offset.CLOSE, **more)


class World:
    """One gateway's process: `restart` makes another on the same store, to which the counter shows
    `at_counter`.
    """

    def __init__(self, store: SqliteStore, seconds: float = 0.0) -> None:
        self.store, self.seconds = store, seconds
        self.told: list[dict[str, Any]] = []
        self.held_lots, self.last = 0, 3000.0
        self.refs = 0
        self.at_counter: dict[str, OrderField] = {}
        self.traded: list[TradeField] = []
        self.ledger = Ledger()
        self.ledger.begin_day(DAY)
        self.ledger.set_contracts([instrument(), instrument("m2509", "DCE"), instrument("rb2511")])
        self.ledger.rebuild(account(), [], [], [])
        self.gate = Gate(
            store=store,
            account=self,
            thresholds=thresholds.load(),
            now=lambda: NOW + timedelta(seconds=self.seconds),
            told=self.told.append,
            clock=lambda: 1000.0 + self.seconds,
            keep=store.put_setting,
        )
        self.gate.on_day(DAY)
        self.gate.loaded()

    # what of the account is asked
    def contract(self, symbol: str) -> Any:
        return self.ledger.contracts.get(symbol) or self.ledger.contracts.get(f"{symbol}.SHFE")

    def quote(self, _local_symbol: str) -> Any:
        return SimpleNamespace(last_price=self.last, bid_price_1=self.last - 1, ask_price_1=self.last + 1)

    def orders(self) -> list[Any]:
        return list(self.ledger.orders.values())

    def trades(self) -> list[Any]:
        return self.ledger.trades

    def journal_rows(self, trading_day: str) -> list[dict[str, Any]]:
        return self.store.orders(trading_day)

    def held(self, _strategy: str, _symbol: str) -> int:
        return self.held_lots

    def opening(self, strategy: str, symbol: str) -> int:
        return self.gate.counting.tally.of(("contract", symbol)).opening

    def is_ready(self) -> bool:
        return True

    def subscribed(self) -> list[str]:
        return ["rb2510.SHFE"]

    at_stake = subscribed

    def is_open(self, _local_symbols: Any) -> bool:
        return True

    def tick(self, _local_symbol: str) -> None:
        return None

    # what happens
    def send(self, request: OrderRequest, strategy: str = "") -> str:
        """As the desk does it: judged, journalled, sent, shown."""
        self.gate.judge(request, strategy)
        self.refs += 1
        order_id = f"1_7_{self.refs}"
        row = order(
            self.refs,
            InstrumentID=request.symbol,
            ExchangeID=request.exchange.value,
            Direction="0" if request.direction is Direction.LONG else "1",
            CombOffsetFlag="0" if request.offset is Offset.OPEN else "1",
            LimitPrice=request.price,
            VolumeTotalOriginal=request.volume,
            TimeCondition="1" if request.type in (OrderType.FAK, OrderType.FOK) else "3",
        )
        created = (NOW + timedelta(seconds=self.seconds)).isoformat()
        words = request_words(request) | {"strategy": strategy, "row": msgspec.to_builtins(row)}
        self.store.write_intent(Intent(order_id, "", DAY, created, words))
        self.ledger.own(order_id, "", strategy, row)
        self.at_counter[order_id] = row
        self.ledger.submit(row)
        self.gate.sent(order_id, request, strategy)
        return order_id

    def hear(self, row: OrderField) -> None:
        """Of the counter, of whichever terminal's order."""
        self.at_counter[f"{row.FrontID}_{row.SessionID}_{row.OrderRef.strip()}"] = row
        for change in self.ledger.apply_order(row):
            self._tell(change)

    def hear_trade(self, row: TradeField) -> None:
        self.traded.append(row)
        for change in self.ledger.apply_trade(row):
            self._tell(change)

    def _tell(self, change: Any) -> None:
        if hasattr(change, "tradeid"):
            self.gate.on_trade(change)
        else:
            self.store.save_order(change.trading_day, change.order_id, rows.row_of(change))
            self.gate.on_order(change)

    def end(self, order_id: str, status: str = "5", **more: Any) -> None:
        row = self.at_counter[order_id]
        sys_id = f"{row.OrderRef:>12}"
        self.hear(
            msgspec.structs.replace(row, OrderStatus=status, OrderSubmitStatus="3", OrderSysID=sys_id, **more)
        )

    def place_and_cancel(self, times: int, **more: Any) -> None:
        for _ in range(times):
            self.seconds += 1.5
            self.end(self.send(asked(**more)))

    def restart(self) -> World:
        """A new process: the login replays what the counter has."""
        again = World(self.store, self.seconds + 5)
        again.refs, again.at_counter, again.traded = self.refs, self.at_counter, self.traded
        for intent in self.store.intents(DAY):
            again.ledger.own(intent.order_id, "", intent.request["strategy"])
        changes = again.ledger.rebuild(account(), [], list(self.at_counter.values()), self.traded)
        again.told.clear()
        for change in changes:
            heard = again.gate.on_trade if hasattr(change, "tradeid") else again.gate.on_order
            heard(change)
        again.gate.loaded()
        return again

    def refuses(self, request: OrderRequest, strategy: str = "") -> str:
        with pytest.raises(OrderRefused) as refusal:
            self.gate.judge(request, strategy)
        return refusal.value.code

    def heard(self, what: str = "") -> list[tuple[str, str]]:
        return [(one["what"], one.get("rule", "")) for one in self.told if what in ("", one["what"])]

    def rules(self, *entries: dict[str, Any]) -> None:
        self.gate.write(list(entries))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "account.db")
    yield store
    store.close()


@pytest.fixture
def world(store: SqliteStore) -> World:
    return World(store)


# ── states ──


@pytest.mark.parametrize(
    ("state", "opens", "closes"),
    [("active", "", ""), ("reduce_only", "RISK_REDUCE_ONLY", ""), ("halted", "RISK_HALTED", "RISK_HALTED")],
)
def test_the_accounts_state_stops_opens_then_all(world: World, state: str, opens: str, closes: str) -> None:
    world.gate.change_state("", state, "页面", "试")
    for request, code in ((asked(), opens), (close(), closes)):
        for strategy in ("", "a"):
            if code:
                assert world.refuses(request, strategy) == code
            else:
                world.gate.judge(request, strategy)
    world.gate.cancel_sent("1_7_1")  # never judged


def test_a_strategys_state_is_its_own_and_the_stricter_one_counts(world: World) -> None:
    world.gate.change_state("a", "halted", "页面", "")
    assert world.refuses(close(), "a") == "RISK_HALTED"
    world.gate.judge(asked(), "b")
    world.gate.judge(asked(), "")
    world.gate.change_state("", "reduce_only", "页面", "")
    assert world.refuses(asked(), "b") == "RISK_REDUCE_ONLY"
    assert world.refuses(close(), "a") == "RISK_HALTED"
    world.gate.change_state("a", "active", "页面", "")
    world.gate.judge(close(), "a")


def test_a_state_says_who_when_and_why_and_outlives_the_process_and_the_day(
    world: World, store: SqliteStore
) -> None:
    world.gate.change_state("a", "reduce_only", "命令行", "亏太多")
    again = World(store)
    again.gate.on_day("20250610")
    state = again.gate.states.shown()["strategies"]["a"]
    assert state == {
        "state": "reduce_only",
        "who": "命令行",
        "why": "亏太多",
        "when": "2025-06-09 09:30:00.000",
    }
    assert world.told[-1]["what"] == "state"
    assert again.refuses(asked(), "a") == "RISK_REDUCE_ONLY"


# ── counts ──


def test_a_count_warns_once_near_its_limit_and_once_at_it(world: World) -> None:
    world.rules({"measure": "cancels", "scope": "contract", "limit": 5, "warn": 0.6})
    rule = "cancels.contract.warn"
    world.place_and_cancel(2)
    assert world.heard() == []
    world.place_and_cancel(1)
    assert world.heard() == [("warning", rule)]
    world.place_and_cancel(1)
    assert world.heard() == [("warning", rule)]
    world.place_and_cancel(3)
    assert world.heard() == [("warning", rule), ("limit", rule)]
    assert world.told[0]["name"] == "rb2510"
    world.gate.judge(asked(), "")


def test_the_exchanges_number_is_warned_of_at_four_fifths_with_its_source(world: World) -> None:
    world.place_and_cancel(399)
    assert world.heard() == []
    world.place_and_cancel(1)
    assert world.heard() == [("warning", "cancels.SHFE")]
    assert "上期所" in world.told[0]["msg"]
    world.place_and_cancel(1, symbol="rb2511")
    assert len(world.told) == 1


def test_fak_and_fok_that_were_not_filled_are_no_cancels(world: World) -> None:
    world.place_and_cancel(3, type=OrderType.FAK)
    assert (world.gate.counting.tally.of(KEY).cancels, world.gate.counting.tally.of(KEY).fak_cancels) == (
        0,
        3,
    )


def test_a_restart_and_a_replay_find_the_same_counts_and_tell_nothing_again(world: World) -> None:
    world.rules({"measure": "cancels", "scope": "contract", "limit": 5, "warn": 0.6, "action": "refuse"})
    world.place_and_cancel(4)
    world.send(asked(2990.0))
    before = world.gate.counting.tally.of(KEY).as_dict()
    again = world.restart()
    assert again.gate.counting.tally.of(KEY).as_dict() == before
    assert again.told == []
    again.gate.loaded()  # a reconnect
    assert again.gate.counting.tally.of(KEY).as_dict() == before
    again.place_and_cancel(1)
    assert again.heard() == [("limit", "cancels.contract.refuse")]
    assert again.refuses(asked()) == "RISK_LIMIT"


def test_what_the_counter_refused_and_shows_no_more_is_known_from_the_journal(world: World) -> None:
    order_id = world.send(asked())
    (change,) = world.ledger.apply_refusal(
        world.at_counter.pop(order_id), SimpleNamespace(code="CTP_31", message="资金不足")
    )  # type: ignore[arg-type]
    world._tell(change)
    assert world.gate.counting.tally.of(KEY).refusals == 1
    again = world.restart()
    assert (again.gate.counting.tally.of(KEY).orders, again.gate.counting.tally.of(KEY).refusals) == (1, 1)


def test_an_order_that_was_judged_and_not_sent_counts_nowhere(world: World) -> None:
    world.gate.judge(asked(), "")
    world.gate.judge(asked(), "")
    assert world.gate.counting.tally.of(KEY).orders == 0
    world.gate.judge(asked(), "")  # no duplicate either


def test_another_terminals_orders_count(world: World) -> None:
    world.rules({"measure": "orders", "scope": "contract", "limit": 3, "action": "refuse"})
    for ref in (1, 2):
        world.hear(order(ref, "3", FrontID=9, SessionID=9, OrderSysID=f"x{ref}", OrderLocalID=str(ref)))
    world.send(asked(2990.0))
    assert world.refuses(asked()) == "RISK_LIMIT"
    assert world.restart().refuses(asked()) == "RISK_LIMIT"


def test_counts_turn_with_the_day_and_states_stay(world: World) -> None:
    world.rules({"measure": "orders", "limit": 1, "action": "refuse"})
    world.send(asked())
    world.gate.change_state("a", "halted", "页面", "")
    assert world.refuses(asked(2990.0)) == "RISK_LIMIT"
    world.ledger.begin_day("20250610")
    world.gate.on_day("20250610")
    world.gate.loaded()
    world.gate.judge(asked(2990.0), "")
    assert world.gate.counting.tally.of(("account", "")).orders == 0
    assert world.refuses(asked(), "a") == "RISK_HALTED"
    late = fields.order_of(order(9), gateway_name="sim", traded=0)  # of the day before
    world.gate.on_order(late)
    assert world.gate.counting.tally.of(("account", "")).orders == 0


def test_self_trades_of_the_ledgers_trades_are_counted(world: World) -> None:
    for ref, side in ((1, "0"), (2, "1")):
        world.hear(order(ref, "3", Direction=side, OrderSysID=f"{ref:>12}"))
        world.hear_trade(trade("t1", ref, Direction=side))
    assert world.gate.counting.tally.of(KEY).self_trades == 1
    world.gate.loaded()
    assert world.gate.counting.tally.of(KEY).self_trades == 1


def test_no_count_of_orders_stops_a_close_or_a_cancel(world: World) -> None:
    world.rules(
        *(
            {"measure": measure, "limit": 0, "action": "refuse"}
            for measure in ("orders", "cancels", "opened", "messages", "refusals", "duplicates", "otr")
        ),
        {"measure": "order_rate", "limit": 1, "seconds": 60, "action": "refuse"},
        {"measure": "held", "limit": 0, "action": "refuse"},
    )
    world.send(close())
    assert world.refuses(asked(2000.0)) == "RISK_LIMIT"
    world.gate.judge(close(3001.0), "")


def test_a_limit_that_is_set_below_what_the_day_has_is_told_of_at_once(world: World) -> None:
    world.place_and_cancel(3)
    world.rules({"measure": "cancels", "limit": 3, "action": "reduce_only"})
    assert world.heard("limit") == [("limit", "cancels.account.reduce_only")]
    assert world.refuses(asked()) == "RISK_REDUCE_ONLY"


# ── rates ──


def test_a_rate_refuses_beyond_its_limit_until_its_time_has_passed_and_over_a_restart(world: World) -> None:
    world.rules({"measure": "order_rate", "limit": 2, "seconds": 60, "action": "refuse"})
    world.send(asked(2990.0))
    world.seconds += 30
    world.send(asked(2991.0))
    assert world.refuses(asked(2992.0)) == "RISK_LIMIT"
    again = world.restart()  # five seconds later
    assert again.refuses(asked(2992.0)) == "RISK_LIMIT"
    again.seconds += 25.1
    again.gate.judge(asked(2992.0), "")


def test_the_budget_of_flow_lets_orders_wait_for_their_turn(world: World) -> None:
    world.rules({"measure": "flow", "limit": 2, "seconds": 1, "action": "delay"})
    world.send(asked(2990.0))
    world.gate.cancel_sent("1_7_1")
    assert world.gate.judge(asked(2991.0), "").wait == pytest.approx(1.0)
    assert world.gate.judge(asked(2992.0), "").wait == pytest.approx(1.0)
    assert world.gate.judge(asked(2993.0), "").wait == pytest.approx(2.0)
    assert world.gate.judge(asked(2993.0), "", has_turn=True).wait == 0.0


# ── orders ──


def test_an_order_that_would_meet_our_own_is_refused(world: World) -> None:
    resting = world.send(asked(3000.0))
    assert world.refuses(close(3000.0)) == "RISK_SELF_TRADE"
    assert resting in world.told[-1]["msg"]
    world.gate.judge(close(3001.0), "")
    world.gate.judge(close(2990.0, symbol="rb2511"), "")
    world.end(resting)
    world.gate.judge(close(3000.0), "")


def test_a_market_order_meets_ours_where_ours_is_the_best(world: World) -> None:
    world.send(asked(2990.0))
    world.gate.judge(close(0.0, type=OrderType.MARKET), "")
    world.last = 2991.0  # bid 2990 is ours
    assert world.refuses(close(0.0, type=OrderType.MARKET)) == "RISK_SELF_TRADE"


def test_the_resting_order_is_cancelled_first_where_the_rule_says_so(world: World) -> None:
    world.rules({"id": "self_trade", "action": "cancel"})
    resting = world.send(asked(3000.0))
    assert world.gate.judge(close(3000.0), "").cancel == resting
    world.rules({"id": "self_trade", "action": "off"})
    assert world.gate.judge(close(3000.0), "").cancel == ""


def test_of_equal_orders_within_a_second_the_second_is_told_of_and_the_fifth_refused(world: World) -> None:
    for _ in range(4):
        world.send(asked())
        world.seconds += 0.2
    assert world.heard() == [("duplicate", "repeat")]  # the same is said once a second
    assert world.refuses(asked()) == "RISK_DUPLICATE"
    world.gate.judge(asked(2999.0), "")
    world.seconds += 0.2  # the first is a second old
    world.send(asked())
    assert world.gate.counting.tally.of(KEY).duplicates == 4
    again = world.restart().gate.counting.tally
    assert again.of(KEY).duplicates == 4
    assert [facts.order_id for facts in again.duplicates] == ["1_7_2", "1_7_3", "1_7_4", "1_7_5"]


def test_one_that_was_cancelled_may_be_placed_again(world: World) -> None:
    for _ in range(5):
        world.end(world.send(asked()))
        world.seconds += 0.1
    assert world.heard() == []


@pytest.mark.parametrize(
    ("rule", "allowed", "refused"),
    [
        ({"measure": "order_lots", "limit": 3}, asked(volume=3), asked(volume=4)),
        ({"measure": "order_value", "limit": 60_000}, asked(3000.0, 2), asked(3001.0, 2)),
        ({"measure": "price_gap", "limit": 0.01}, asked(3030.0), asked(3031.0)),
        ({"measure": "held", "limit": 5, "scope": "contract"}, asked(volume=2), asked(volume=3)),
    ],
)  # fmt: skip
def test_an_order_beyond_a_limit_is_refused(
    world: World, rule: dict[str, Any], allowed: Any, refused: Any
) -> None:
    world.held_lots = 3
    world.rules(rule | {"action": "refuse"})
    world.gate.judge(allowed, "")
    assert world.refuses(refused) in ("RISK_ORDER", "RISK_LIMIT")
    world.rules(rule | {"action": "warn"})
    world.gate.judge(refused, "")


# ── what follows ──


@pytest.mark.parametrize(("action", "code"), [("reduce_only", "RISK_REDUCE_ONLY"), ("halt", "RISK_HALTED")])
def test_a_rule_stops_the_account_and_whoever_lets_it_go_on_is_not_stopped_again(
    world: World, action: str, code: str
) -> None:
    world.rules({"measure": "cancels", "limit": 2, "action": action})
    world.place_and_cancel(2)
    assert world.refuses(asked()) == code
    assert world.gate.states.of().who == f"规则 cancels.account.{action}"
    world.gate.change_state("", "active", "页面", "看过了")
    world.place_and_cancel(1)
    world.gate.judge(asked(), "")
    world.restart().gate.judge(asked(), "")


def test_a_rule_of_a_strategy_stops_that_one_alone(world: World) -> None:
    world.rules({"measure": "orders", "scope": "strategy", "limit": 1, "action": "halt"})
    world.send(asked(), "a")
    assert world.refuses(close(), "a") == "RISK_HALTED"
    world.gate.judge(close(3001.0), "b")


def money(**amounts: float) -> Any:
    values = {"balance": 100_000.0, "deposit": 0.0, "withdraw": 0.0, "margin": 0.0}
    values |= {"commission": 0.0, "close_profit": 0.0, "position_profit": 0.0}
    return SimpleNamespace(**values | amounts)


@pytest.mark.parametrize(
    ("rule", "below", "at"),
    [
        ({"measure": "day_loss", "limit": 500}, money(close_profit=-499), money(close_profit=-500)),
        ({"measure": "drawdown", "limit": 0.1}, money(balance=90_001.0), money(balance=90_000.0)),
        ({"measure": "margin_ratio", "limit": 0.8}, money(margin=79_999.0), money(margin=80_000.0)),
    ],
)  # fmt: skip
def test_loss_drawdown_and_margin_stop_opens_alone(
    world: World, rule: dict[str, Any], below: Any, at: Any
) -> None:
    world.rules(rule | {"action": "refuse"})
    for moment in (money(), below):
        world.gate.money.look(moment)
        world.gate.judge(asked(), "")
    world.gate.money.look(at)
    assert world.refuses(asked()) == "RISK_LIMIT"
    world.gate.judge(close(3001.0), "")
    again = World(world.store)  # the day's highest equity and what was told are kept
    again.gate.money.look(at)
    assert again.refuses(asked()) == "RISK_LIMIT"
    assert [one["what"] for one in again.told] == ["refused"]


def test_a_payment_is_no_drawdown(world: World) -> None:
    world.rules({"measure": "drawdown", "limit": 0.1, "action": "halt"})
    world.gate.money.look(money())
    world.gate.money.look(money(balance=20_000.0, withdraw=80_000.0))
    world.gate.judge(asked(), "")


def test_rules_are_kept_and_bad_ones_change_nothing(world: World, store: SqliteStore) -> None:
    world.rules({"measure": "order_lots", "limit": 3, "action": "refuse"})
    with pytest.raises(BadInput):
        world.rules({"measure": "order_lots", "limit": -3})
    assert world.refuses(asked(volume=4)) == "RISK_ORDER"
    assert World(store).refuses(asked(volume=4)) == "RISK_ORDER"


def test_a_refusal_is_told_once_a_second(world: World) -> None:
    world.gate.change_state("", "halted", "页面", "")
    for _ in range(5):
        world.refuses(asked())
    world.seconds += 1
    world.refuses(asked())
    assert len(world.heard("refused")) == 2


# ── looking before sending ──


def looked(world: World, request: OrderRequest, strategy: str = "") -> list[tuple[str, str]]:
    return [(finding.what, finding.code) for finding in world.gate.preview(request, strategy)]


def test_a_look_says_all_that_judging_would_say_and_leaves_no_trace(world: World) -> None:
    world.rules(
        {"measure": "orders", "limit": 2, "warn": 0.5, "action": "refuse"},
        {"measure": "order_lots", "limit": 3, "warn": 0.5},
        {"measure": "flow", "limit": 1, "seconds": 1, "action": "delay"},
    )
    assert looked(world, asked(2990.0, 1)) == []
    world.send(asked(2990.0))
    told = list(world.told)
    assert looked(world, asked(2991.0)) == [
        ("warning", "RISK_WARNING"),  # 2 lots of 3
        ("warning", "RISK_FLOW"),
        ("warning", "RISK_WARNING"),  # one order of two
    ]
    assert looked(world, close(2990.0, 4))[:2] == [("refused", "RISK_SELF_TRADE"), ("limit", "RISK_LIMIT")]
    world.seconds += 1
    world.send(asked(2991.0))
    world.gate.change_state("", "reduce_only", "页面", "")
    told = list(world.told)
    assert looked(world, asked(2992.0, 1)) == [
        ("refused", "RISK_REDUCE_ONLY"),
        ("refused", "RISK_LIMIT"),
        ("warning", "RISK_FLOW"),
    ]
    before = world.gate.counting.tally.of(KEY).as_dict()
    for _ in range(20):
        looked(world, asked(2991.0))
    assert (world.told, world.gate.counting.tally.of(KEY).as_dict()) == (told, before)
    world.seconds += 1
    assert looked(world, close(3001.0, 1)) == [("limit", "RISK_LIMIT")]
    assert world.gate.judge(close(3001.0), "").wait == 0.0  # no turn was taken by looking


def test_a_look_says_which_resting_order_would_be_cancelled_first(world: World) -> None:
    world.rules({"id": "self_trade", "action": "cancel"})
    world.send(asked(3000.0))
    assert looked(world, close(3000.0)) == [("warning", "RISK_SELF_TRADE")]


def test_a_look_minds_the_limits_of_a_strategy(world: World) -> None:
    world.gate.limits.put("a", {"max_order_volume": 1})
    assert looked(world, asked(), "a") == [("refused", "STRATEGY_LIMIT")]


def test_a_number_that_comes_into_force_counts_from_its_day_on(world: World) -> None:
    def limit(day: str) -> float:
        world.gate.on_day(day)
        fitting = world.gate.book.fitting("IF2606", "CFFEX", "")
        return next(one.rule.limit for one in fitting.watched if one.rule.measure == "cancels")

    assert [limit(day) for day in ("20260528", "20260529", "20260601", "20260602")] == [400, 400, 500, 500]
