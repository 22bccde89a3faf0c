"""What is asked of contracts and quotes. Gateway process, event thread only."""

from __future__ import annotations

from typing import Any

from ctpbee.constant import ContractData

from app.gateway.account import AccountView
from app.gateway.publisher import Publisher
from app.lib import rows
from app.lib.errors import BadInput, NotFound
from app.lib.market_orders import MarketOrders
from app.lib.sessions import Hours, Section
from app.wire.messages import Counted, DescribeContract, Json, ListContracts, PushContracts, ReadTick


class ContractDesk:
    """Raises NotFound for a contract that nobody knows. `hours` are the account's, `market_orders` says which
    exchanges take them.
    """

    def __init__(
        self,
        account: AccountView,
        publisher: Publisher,
        hours: Hours,
        market_orders: MarketOrders,
    ) -> None:
        self._account = account
        self._publisher = publisher
        self._hours = hours
        self._market_orders = market_orders

    def read_tick(self, request: ReadTick) -> Json:
        contract = self._contract(request.symbol)
        tick = self._account.tick(contract.local_symbol)
        if tick is None:
            raise NotFound(
                f"{contract.local_symbol} 还没有行情：先以 POST /market 订阅，休市时须等开盘", code="NO_TICK"
            )
        return Json(rows.to_json(rows.row_of(tick)))

    def list_contracts(self, request: ListContracts) -> Json:
        listed = [
            rows.listed_contract(contract) | {"sessions": self._clocks(contract.ProductID)}
            for contract in self._account.listed_contracts()
            if request.exchange in ("", contract.exchange.value)
            and (not request.product or request.product in (contract.ProductID, rows.product_name(contract)))
        ]
        if request.product and not listed:
            raise BadInput(
                "product",
                f"没有品种 {request.product} 的合约：应为品种代码（分大小写）或中文名，如 rb、螺纹钢",
            )
        return Json(rows.to_json({"contracts": listed, "as_of": self._account.as_of}))

    def push_contracts(self, _request: PushContracts) -> Counted:
        contracts = self._account.contracts()
        self._publisher.push("contract", rows.to_json(contracts))
        as_of = self._account.as_of
        return Counted(len(contracts), note=f"休市或断线，合约是 {as_of[:16]} 的" if as_of else "")

    def describe_contract(self, request: DescribeContract) -> Json:
        contract = self._contract(request.symbol)
        marked = {"as_of": self._account.as_of} if self._account.as_of else {}
        return Json(rows.to_json(rows.contract_row(contract) | self._terms(contract) | marked))

    def _terms(self, contract: ContractData) -> dict[str, Any]:
        """When it trades, what may be sent, and whose rates its row has."""
        market = ("market",) if self._market_orders.get(contract.exchange.value) is not None else ()
        return {
            "trading_day": self._account.trading_day(),
            "sessions": self._clocks(contract.ProductID),
            "session_times": [
                [int(section.start.timestamp() * 1000), int(section.end.timestamp() * 1000)]
                for section in self._sections(contract.ProductID)
            ],
            "order_types": ["limit", *market, "fak", "fok"],
            "rates": "account" if self._account.has_rates(contract.symbol) else "listed",
        }

    def _clocks(self, product: str) -> list[list[str]]:
        return [[f"{section.start:%H:%M}", f"{section.end:%H:%M}"] for section in self._sections(product)]

    def _sections(self, product: str) -> tuple[Section, ...]:
        return self._hours.sections(product, self._account.trading_day())

    def _contract(self, symbol: str) -> ContractData:
        contract = self._account.contract(symbol)
        if contract is None:
            raise NotFound("不认识的合约", code="UNKNOWN_SYMBOL")
        return contract
