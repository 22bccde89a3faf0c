"""What an order would cost, by the book, without sending it: where nothing is known nothing is made up."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ctpbee.constant import ContractData, OrderRequest

from app.gateway.order_check import checked_order
from app.gateway.preview import PreviewDesk
from app.gateway.risk.telling import Finding
from app.interfaces.ledger import Ledger
from app.lib.market_orders import market_orders
from app.lib.prices import PriceLimits
from app.wire.messages import PlaceOrder, PreviewOrder
from tests.fakes.front import account, instrument

RATES = {"OpenRatioByMoney": 0.0001, "OpenRatioByVolume": 0.0}


class House:
    """A ledger with one contract, 10 % margin, 10 000 yuan; whose rates come apart, as CTP's."""

    def __init__(self, balance: float = 10_000.0, **changes: Any) -> None:
        self.ledger = Ledger("ctp")
        self.ledger.rates_come_apart = True
        self.ledger.begin_day("20250606")
        rates = {"LongMarginRatio": 0.1, "ShortMarginRatio": 0.1} | changes
        self.ledger.set_contracts([instrument(**rates)])
        self.ledger.rebuild(account(PreBalance=balance, Balance=balance, Available=balance), [], [], [])
        self.wanted: list[str] = []
        self.desk = PreviewDesk(
            self, self.ledger, self.checked, self.wanted.append, market_orders(), lambda _order: self.said
        )
        self.said: list[Finding] = []

    def contract(self, symbol: str) -> ContractData | None:
        return self.ledger.contracts.get(symbol)

    def has_rates(self, symbol: str) -> bool:
        return self.ledger.has_rates(symbol)

    def checked(self, order: PlaceOrder) -> OrderRequest:
        contract = self.contract(order.local_symbol)
        assert contract is not None
        return checked_order(order, contract, PriceLimits(3300.0, 2700.0))

    def told(self, price: float = 3000.0, **changes: Any) -> dict[str, Any]:
        values = {"direction": "long", "offset": "open", "type": "limit", "volume": 1} | changes
        answer: dict[str, Any] = json.loads(
            self.desk.preview(PreviewOrder("rb2510.SHFE", price=price, **values)).payload
        )
        return answer


def test_until_the_accounts_own_rates_are_known_no_fee_is_made_up_and_they_are_wanted() -> None:
    house = House()
    told = house.told()
    assert (told["rates"], told["margin"], told["fee"], house.wanted) == ("listed", 3000.0, None, ["rb2510"])
    house.ledger.set_rates("rb2510", RATES | {"LongMarginRatio": 0.12})
    told = house.told()
    assert (told["rates"], told["margin"], told["fee"], house.wanted) == ("account", 3600.0, 3.0, ["rb2510"])


@pytest.mark.parametrize(
    ("balance", "largest"), [(9_009.0, 3), (9_008.99, 2), (3_003.0, 1), (3_002.99, 0), (-1.0, 0)]
)
def test_the_largest_open_takes_margin_and_fee_out_of_what_is_available(balance: float, largest: int) -> None:
    house = House(balance)
    house.ledger.set_rates("rb2510", RATES)
    assert house.told()["largest"]["long"]["open"] == largest


def test_without_a_price_nothing_is_counted() -> None:
    """A market order of a contract of which neither limit nor settlement nor quote is known."""
    house = House(UpperLimitPrice=0.0, LowerLimitPrice=0.0, PreSettlementPrice=0.0)
    house.ledger.set_rates("rb2510", RATES)
    told = house.told(0.0, type="market")
    assert (told["price"], told["margin"], told["fee"], told["largest"]["long"]["open"]) == (
        0.0,
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [({}, None), ({"price": 3000.5}, "BAD_INPUT"), ({"type": "market"}, "NO_MARKET_ORDERS")],
)
def test_what_would_not_be_sent_says_why(changes: dict[str, Any], error: str | None) -> None:
    problem = House().told(**changes)["problem"]
    assert (problem and problem["error"]) == error


def test_what_the_gate_would_say_is_told_of_an_order_that_could_be_sent() -> None:
    house = House()
    house.said = [Finding("refused", "RISK_HALTED", "账户暂停交易", "")]
    assert house.told()["risk"] == [
        {"what": "refused", "error": "RISK_HALTED", "msg": "账户暂停交易", "rule": ""}
    ]
    assert house.told(volume=0)["risk"] == []
