"""What the checks trade with: orders, rows and prices of one contract, over the server's own interface.
Command's own process.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from app.filing.outcome import NotReached
from app.filing.station import until
from app.lib.calendar import SHANGHAI

WORKING = ("未成交", "部分成交")
ENDED = ("全部成交", "已撤销", "拒单")
PATIENCE = 20.0  # seconds for a counter to say what became of an order
TICKS_ABOVE = 5  # how much above the best price an order is that is to be filled at once
MOST_LOTS = 500
MOST_LOOKED_AT = 80  # contracts, of which one that serves is looked for


class Server(Protocol):
    """What of a Station is asked here."""

    def ask(self, method: str, path: str, **fields: Any) -> dict[str, Any]: ...

    def do(self, method: str, path: str, **fields: Any) -> Any: ...


class Desk:
    """`symbol` is the contract that is traded, "" for a usual one: the second month of 螺纹钢 (rb)."""

    def __init__(self, server: Server, symbol: str = "") -> None:
        self._server = server
        self.symbol = symbol
        self._contract: dict[str, Any] = {}

    # ── what is traded ──

    def open(self) -> None:
        """Subscribe to it, and wait for its price. Raises NotReached."""
        self.symbol = self.symbol or self._usual()
        self._server.do("POST", "/market", symbol=self.symbol)
        if not until(self._has_price, PATIENCE):
            raise NotReached(
                f"{self.symbol} {PATIENCE:g} 秒没有买卖价：休市，或是冷门的合约，请以 --symbol 另选"
            )

    def contract(self) -> dict[str, Any]:
        """Raises NotReached."""
        if not self.symbol:
            raise NotReached("没有选到合约：登录没有成功，或没有行情")
        if not self._contract:
            self._contract = dict(self._server.do("GET", "/contract", symbol=self.symbol))
        return self._contract

    def tick(self) -> dict[str, Any]:
        return dict(self._server.do("GET", "/tick", symbol=self.symbol))

    def closed_now(self) -> dict[str, Any] | None:
        """A contract whose market is closed at the counter's time, with its details; None when all are
        open.
        """
        now = datetime.fromisoformat(self.tick()["datetime"]).replace(tzinfo=SHANGHAI).timestamp() * 1000
        for row in self._one_a_product():
            details = dict(self._server.do("GET", "/contract", symbol=row["local_symbol"]))
            if details["session_times"] and not any(
                begin - 60_000 <= now <= end + 60_000 for begin, end in details["session_times"]
            ):
                return details
        return None

    def beyond_means(self) -> tuple[dict[str, Any], int] | None:
        """A contract, and how many lots of it at its lower limit cost more than there is; None for none."""
        for row in [{"local_symbol": self.symbol}, *self._one_a_product()]:
            details = dict(self._server.do("GET", "/contract", symbol=row["local_symbol"]))
            volume = int(details["max_limit_order_volume"])
            answer = self._server.ask(
                "GET",
                "/order_preview",
                local_symbol=details["local_symbol"],
                direction="long",
                offset="open",
                type="limit",
                price=details["limit_down"],
                volume=volume or 1,
            )
            seen = answer.get("data") or {}
            if answer.get("success") and not seen["problem"] and seen["margin"] > seen["available"]:
                return details, volume
        return None

    def _usual(self) -> str:
        rows = self._server.do("GET", "/contract", product="rb")["contracts"]
        months = sorted(rows, key=lambda row: row["expire_date"])
        if len(months) < 2:
            raise NotReached("柜台没有螺纹钢（rb）的合约，请以 --symbol 指明交易哪个合约")
        return str(months[1]["local_symbol"])

    def _one_a_product(self) -> list[dict[str, Any]]:
        by_product: dict[str, dict[str, Any]] = {}
        for row in self._server.do("GET", "/contract")["contracts"]:
            by_product.setdefault(row["product_name"] or row["local_symbol"], row)
        return list(by_product.values())[:MOST_LOOKED_AT]

    def _has_price(self) -> bool:
        answer = self._server.ask("GET", "/tick", symbol=self.symbol)
        tick = answer.get("data") or {}
        return bool(answer.get("success")) and bool(tick["ask_volume_1"]) and bool(tick["bid_volume_1"])

    # ── prices ──

    def far(self) -> float:
        """The lowest price that a buy may have: it rests."""
        return float(self.contract()["limit_down"])

    def crossing(self, direction: str) -> float:
        """A price at which an order is filled at once, within the day's limits."""
        tick, contract = self.tick(), self.contract()
        more = TICKS_ABOVE * contract["pricetick"]
        if direction == "long":
            return float(min(tick["ask_price_1"] + more, contract["limit_up"]))
        return float(max(tick["bid_price_1"] - more, contract["limit_down"]))

    def more_than_offered(self) -> tuple[float, int]:
        """The best ask, and more lots than it has: half of what the money is enough for."""
        tick = self.tick()
        ask = float(tick["ask_price_1"])
        seen = self._server.do(
            "GET",
            "/order_preview",
            local_symbol=self.symbol,
            direction="long",
            offset="open",
            type="limit",
            price=ask,
        )
        most = min(int(seen["largest"]["long"]["open"]) // 2, int(seen["order_limit"]) or MOST_LOTS)
        return ask, max(most, int(tick["ask_volume_1"]) + 1)

    # ── orders ──

    def order(
        self, direction: str, offset: str, price: float, volume: int, symbol: str = ""
    ) -> dict[str, Any]:
        """The envelope of a limit order."""
        return self._server.ask(
            "POST",
            "/order_solve",
            local_symbol=symbol or self.symbol,
            direction=direction,
            offset=offset,
            type="limit",
            price=price,
            volume=volume,
        )

    def placed(self, direction: str, offset: str, price: float, volume: int) -> str:
        """The order_id of one that the counter has taken. Raises NotReached."""
        answer = self.order(direction, offset, price, volume)
        if not answer.get("success"):
            raise NotReached(f"报单没有被受理：{answer.get('msg', '')}")
        return str(answer["order_id"])

    def cancel(self, order_id: str) -> dict[str, Any]:
        return self._server.ask("DELETE", "/order_solve", order_id=order_id)

    def rows(self) -> list[dict[str, Any]]:
        """The day's orders."""
        return list(self._server.do("GET", "/order_solve")["order_list"])

    def row(self, order_id: str) -> dict[str, Any]:
        """Raises NotReached."""
        for row in self.rows():
            if row["order_id"] == order_id:
                return row
        raise NotReached(f"委托列表里没有 {order_id}")

    def ended(self, order_id: str) -> dict[str, Any]:
        """Its row, once it has ended or after a while."""
        until(lambda: self.row(order_id)["status"] in ENDED, PATIENCE)
        return self.row(order_id)

    def close_offset(self) -> str:
        """What closes lots that were opened today."""
        return "closetoday" if self.symbol.rpartition(".")[2] in ("SHFE", "INE") else "close"


def said(row: dict[str, Any]) -> str:
    """An order in words."""
    return (
        f"{row['order_id']} {row['local_symbol']} {row['direction']}{row['offset']} 价 {row['price']:g} "
        f"手数 {row['volume']:g} 成交 {row['traded']:g} {row['status']}"
    )
