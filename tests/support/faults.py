"""The tests' hand inside a running counter: a client of app/counter/faults.py, which lists what each command
does.
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.wire.channel import ChannelClosed, connect


class FaultRefused(Exception):
    """The counter could not do what was asked; its words."""


class CounterFaults:
    """Speaks to the address that COUNTER_TEST_SOCKET named when the counter started."""

    def __init__(self, address: str) -> None:
        self._connection = connect(address)
        self._answers = self._connection.frames()

    def close(self) -> None:
        self._connection.close()

    def _do(self, name: str, **arguments: Any) -> Any:
        self._connection.send(msgspec.msgpack.encode({"do": name} | arguments))
        data = next(self._answers, None)
        if data is None:
            raise ChannelClosed("the counter is gone")
        answer = msgspec.msgpack.decode(data)
        if not answer["ok"]:
            raise FaultRefused(answer["error"])
        return answer["result"]

    def drop(self, user: str = "", front: str = "") -> int:
        return self._do("drop", user=user, front=front)

    def restart_flow(self) -> None:
        self._do("restart_flow")

    def mute(self, user: str = "") -> None:
        self._do("mute", user=user)

    def unmute(self, user: str = "") -> None:
        self._do("unmute", user=user)

    def duplicate(self, user: str = "", count: int = 1) -> None:
        self._do("duplicate", user=user, count=count)

    def reorder(self, user: str = "") -> None:
        self._do("reorder", user=user)

    def refuse_next(self, kind: str, error_id: int, text: str) -> None:
        self._do("refuse_next", kind=kind, error_id=error_id, text=text)

    def reject_next(self, text: str) -> None:
        self._do("reject_next", text=text)

    def delay_accept(self) -> None:
        self._do("hold", kind="order")

    def release_accept(self) -> None:
        self._do("release", kind="order")

    def delay_cancel(self) -> None:
        self._do("hold", kind="cancel")

    def release_cancel(self) -> None:
        self._do("release", kind="cancel")

    def set_rules(self, **rules: Any) -> None:
        self._do("set_rules", **rules)

    def disconnect(self, reason: int, user: str = "", front: str = "") -> int:
        return self._do("disconnect", reason=reason, user=user, front=front)

    def refuse_sends(self, request: str, code: int, count: int = 1, user: str = "", front: str = "") -> int:
        return self._do("refuse_sends", request=request, code=code, count=count, user=user, front=front)

    def burst(self, symbol: str, count: int) -> None:
        self._do("burst", symbol=symbol, count=count)

    def force_close(self, user: str, symbol: str, direction: str, volume: int, offset: str = "2") -> None:
        self._do("force_close", user=user, symbol=symbol, direction=direction, volume=volume, offset=offset)

    def place_conditional(self, user: str, symbol: str, direction: str, volume: int, price: float) -> str:
        """Its number, TJBD_n."""
        return self._do(
            "place_conditional", user=user, symbol=symbol, direction=direction, volume=volume, price=price
        )

    def trigger(self, user: str, number: str) -> None:
        self._do("trigger", user=user, number=number)

    def set_quote(
        self,
        symbol: str,
        bid: float,
        bid_volume: int,
        ask: float,
        ask_volume: int,
        last: float,
        traded: int = 0,
    ) -> None:
        quote = {
            "bid": bid,
            "bid_volume": bid_volume,
            "ask": ask,
            "ask_volume": ask_volume,
            "last": last,
            "traded": traded,
        }
        self._do("set_quote", symbol=symbol, **quote)

    def release_quote(self, symbol: str) -> None:
        self._do("release_quote", symbol=symbol)

    def turn_day(self, prices: dict[str, float], new_day: str = "") -> str:
        """The new trading day."""
        return self._do("turn_day", prices=prices, new_day=new_day)

    def set_clock(self, now: str) -> None:
        self._do("set_clock", now=now)

    def books(self) -> dict[str, dict[str, Any]]:
        """By user: broker, trading_day, money, lots, orders, trades (their number)."""
        return {book["user"]: book for book in self._do("books")}
