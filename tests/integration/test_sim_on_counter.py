"""The sim interface on the real counter: whatever is traded, the gateway's book and the counter's are one to
the cent.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from ctpbee.constant import ContractData, Direction, Offset, OrderType, Status

from app.interfaces.ledger import COUNTED_MONEY
from app.model.sqlite import SqliteStore
from app.wire.registry import Entry, Registry
from tests.fakes.app import Gateway
from tests.support.faults import CounterFaults
from tests.support.kept_calendar import keep_calendar
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.filterwarnings(
    "ignore:Series.values:DeprecationWarning"
)  # of pandas, in exchange_calendars


class Counter:
    """`python -m app.counter` on a data directory of its own."""

    def __init__(self, data_dir: Path) -> None:
        self._registry = Registry(data_dir)
        keep_calendar(data_dir)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CTPBEE_BACKEND_")}
        self.faults_address = f"unix:{data_dir / 'faults.sock'}"
        self._environment = clean | {
            "CTPBEE_BACKEND_DATA_DIR": str(data_dir),
            "COUNTER_TEST_SOCKET": self.faults_address,
        }
        self._log = data_dir / "counter.log"
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.counter"], cwd=ROOT, env=self._environment, stderr=log
            )
        entry = eventually(self._registered, "the counter is up")
        self.address = entry.address

    def _registered(self) -> Entry | None:
        entry = self._registry.find("counter")
        return entry if entry is not None and entry.pid == self.process.pid else None

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(30)


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    counter = Counter(tmp_path)
    yield counter
    if counter.process.poll() is None:
        counter.end()


@pytest.fixture
def gateway(counter: Counter, tmp_path: Path) -> Iterator[Gateway]:
    store = SqliteStore(tmp_path / "account.db")
    gateway = Gateway(counter.address, store, tmp_path)
    gateway.start()
    gateway.ready()
    yield gateway
    gateway.stop()
    store.close()


def far(gateway: Gateway, product: str) -> ContractData:
    """The contract of the product that lives longest."""
    return max(
        (row for row in gateway.ledger.contracts.values() if row.ProductID == product),
        key=lambda row: row.expire_date,
    )


def trade_at_random(
    gateway: Gateway, contracts: list[ContractData], chance: random.Random, count: int
) -> list[str]:
    """Orders of every kind at prices that fill at once, perhaps, or never; some are cancelled."""
    sent = []
    for _ in range(count):
        contract = chance.choice(contracts)
        order_id = gateway.send(
            symbol=contract.symbol,
            exchange=contract.exchange,
            direction=chance.choice([Direction.LONG, Direction.SHORT]),
            offset=chance.choice([Offset.OPEN, Offset.OPEN, Offset.OPEN, Offset.CLOSETODAY]),
            type=chance.choice([OrderType.LIMIT, OrderType.LIMIT, OrderType.FAK, OrderType.FOK]),
            price=chance.choice(
                [contract.UpperLimitPrice, contract.LowerLimitPrice, contract.PreSettlementPrice]
            ),
            volume=chance.randint(1, 3),
        )
        sent.append(order_id)
        eventually(partial(is_answered, gateway, order_id), "answered")
        working = [row.order_id for row in gateway.ledger.active_orders()]
        if working and chance.random() < 0.4:
            victim = gateway.ledger.orders[chance.choice(working)]
            gateway.do(partial(gateway.bee.cancel_order, victim.create_cancel_request()))
    return sent


def end_what_works(gateway: Gateway) -> None:
    """Nothing fills any more from here on, however the market moves."""
    for order in gateway.ledger.active_orders():
        gateway.do(partial(gateway.bee.cancel_order, order.create_cancel_request()))
    eventually(lambda: not gateway.ledger.active_orders(), "nothing works any more")


def is_answered(gateway: Gateway, order_id: str) -> bool:
    return gateway.ledger.orders[order_id].status is not Status.SUBMITTING


def compare(gateway: Gateway) -> None:
    """Ask the counter for its figures and have them compared with the book's."""
    before = len(gateway.ears.of("account"))
    gateway.do(lambda: (gateway.bee.trader.query_position(), gateway.bee.trader.query_account()))
    eventually(lambda: len(gateway.ears.of("account")) > before, "the counter's figures")
    assert gateway.differences == []


def test_our_book_and_the_counters_stay_one_through_trading_losses_and_a_kill(
    gateway: Gateway, counter: Counter
) -> None:
    chance = random.Random(7)
    contracts = [far(gateway, product) for product in ("rb", "m", "IF", "SR", "sc", "si")]
    sent = trade_at_random(gateway, contracts, chance, 25)
    end_what_works(gateway)
    compare(gateway)
    assert gateway.ledger.trades, "nothing was filled: this test would compare nothing"
    figures = {name: getattr(gateway.ledger.money(), name) for name in COUNTED_MONEY}
    positions = {(row.symbol, row.direction): row.volume for row in gateway.ledger.book.positions()}
    told = len(gateway.ears.of("trade"))

    counter.end(signal.SIGKILL)
    eventually(lambda: gateway.state("td") == "lost", "lost")
    counter.start()
    gateway.ready(times=2)
    assert {name: getattr(gateway.ledger.money(), name) for name in COUNTED_MONEY} == figures
    assert {(row.symbol, row.direction): row.volume for row in gateway.ledger.book.positions()} == positions
    assert {row.trade_key for row in gateway.ears.of("trade")[told:]}.isdisjoint(
        row.trade_key for row in gateway.ears.of("trade")[:told]
    )

    sent += trade_at_random(gateway, contracts, chance, 10)
    compare(gateway)
    assert len(set(sent)) == len(sent)
    assert set(sent) <= gateway.ledger.orders.keys()


def test_a_restart_of_the_counters_core_from_its_flow_makes_no_second_order_of_any(
    gateway: Gateway, counter: Counter
) -> None:
    contract = far(gateway, "rb")
    buy = {"symbol": contract.symbol, "exchange": contract.exchange, "volume": 1}
    filled = gateway.send(**buy, price=contract.UpperLimitPrice)
    resting = [
        gateway.send(**buy, price=contract.LowerLimitPrice + number * contract.pricetick)
        for number in range(3)
    ]
    for order_id in (filled, *resting):
        eventually(partial(is_answered, gateway, order_id), "answered")
    before = {
        order_id: (shown.status, shown.traded, shown.price)
        for order_id, shown in gateway.ledger.orders.items()
    }
    frozen = gateway.ledger.money().frozen_margin
    with closing(CounterFaults(counter.faults_address)) as faults:
        faults.restart_flow()
    gateway.ready(times=2)
    assert {
        order_id: (shown.status, shown.traded, shown.price)
        for order_id, shown in gateway.ledger.orders.items()
    } == before
    assert all(shown.is_local for shown in gateway.ledger.orders.values())
    assert gateway.ledger.money().frozen_margin == frozen > 0
    end_what_works(gateway)
    compare(gateway)
