"""The ctpbee app of one account, with our interfaces, our book and our event thread in it. Gateway process.

What differs from a plain CtpBee: the interface comes from app/interfaces, positions from our own
book, timers from the event thread instead of ctpbee's refresh thread, and an extension that fails is logged
and stops nobody else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from ctpbee import CtpBee
from ctpbee.constant import EVENT_TIMER, ContractData, Event
from ctpbee.signals import common_signals

from app.bee.extensions import Extensions, Guarded
from app.bee.logger import BeeLogger
from app.bee.positions import BookPositions
from app.interfaces import interface_classes
from app.interfaces.ledger import Ledger
from app.interfaces.wiring import OnCancelRefused, OnStatus, Wiring, ignore
from app.model.store import Store
from app.process.event_loop import EventLoop, Timer


class BackendApp(CtpBee):
    """One account's ctpbee. `start()` begins to connect, `release()` ends it; both from any thread.

    `connect_info`: brokerid, userid, password; for `sim` counter_address, a channel address or a function
    that finds it; for `ctp` td_address, md_address, appid, auth_code, new_password ("": none), password_taken
    (whether the counter has taken this password before), flow_dir, query_interval (seconds),
    settlement_confirm, never_rests (the fronts go on outside the exchanges' hours), barred ("" unless this
    front is not the account's); for both market_orders (app/lib/market_orders.py). The callbacks are those of
    interfaces/wiring.py and are called in the event thread, like every signal of ctpbee's.
    """

    _init_interface: bool
    market: Any  # the interface's, once started
    trader: Any

    def __init__(
        self,
        name: str,
        loop: EventLoop,
        store: Store,
        ledger: Ledger,
        interface: str,
        connect_info: dict[str, Any],
        *,
        on_status: OnStatus = ignore,
        on_cancel_refused: OnCancelRefused = ignore,
        on_difference: Callable[[list[str]], None] = ignore,
        on_notice: Callable[[str, str], None] = ignore,
        on_remark: Callable[[str], None] = ignore,
        on_password: Callable[[str], None] = ignore,
        on_day: Callable[[str], None] = ignore,
    ) -> None:
        self._market_class, self._trader_class = interface_classes(interface)
        super().__init__(
            name, __name__, instance_path=sys.prefix
        )  # the path is only looked at for configuration files
        self.config.update(INTERFACE=interface, TD_FUNC=True, MD_FUNC=True, LOG_OUTPUT=False)
        self.loop = loop
        self.store = store
        self.ledger = ledger
        self.logger = BeeLogger(f"ctpbee.{name}")
        self._connect_info = connect_info
        self._on_day = on_day
        self._tell_status = on_status
        self._extensions = Extensions(Guarded)
        self._timers: dict[str, Timer] = {}
        self.recorder.position_manager = BookPositions(self, lambda: self.ledger.book.positions())
        self.r = False  # not None: ctpbee then starts no refresh thread of its own
        self._wiring = Wiring(
            name=interface,
            signals=self.app_signal,
            loop=loop,
            store=store,
            ledger=ledger,
            on_status=self._on_status,
            on_cancel_refused=on_cancel_refused,
            on_difference=on_difference,
            on_notice=on_notice,
            on_remark=on_remark,
            on_password=on_password,
            on_day=self._begin_day,
            on_holding=self._hold,
        )

    def init_interface(self) -> None:
        """Make market and trader, begin to connect, and run the timers that ctpbee's refresh thread would."""
        if self._init_interface:
            return
        self._init_interface = True
        self.active = True
        self.market = self._market_class(self._wiring)
        self.trader = self._trader_class(self._wiring)
        self.trader.connect(self._connect_info)
        self.market.connect(self._connect_info)
        self._timers["timer"] = self.loop.every(lambda: float(self.config["TIMER_INTERVAL"]), self._on_timer)
        self.restart_refresh()

    def restart_refresh(self) -> None:
        """REFRESH_INTERVAL counts from now on, not only after the wait that is under way."""
        if "refresh" in self._timers:
            self._timers["refresh"].cancel()
        self._timers["refresh"] = self.loop.every(
            lambda: float(self.config["REFRESH_INTERVAL"]), self._refresh
        )

    def get_contract(self, local_symbol: str) -> ContractData | None:
        """ctpbee's position manager asks this of any app that is not exactly a CtpBee."""
        return self.ledger.contracts.get(local_symbol)

    def release(self) -> None:
        """Close both fronts and let go of ctpbee's process-wide signals. Working orders stay at the
        counter.
        """
        for timer in self._timers.values():
            timer.cancel()
        for front in (self.market, self.trader):
            if front is not None:
                front.close()
        for event in common_signals.event:
            getattr(common_signals, f"{event}_signal").disconnect(self.recorder.get_func(event))
        self.active = False

    def _on_timer(self) -> None:
        common_signals.timer_signal.send(Event(type=EVENT_TIMER))

    def _refresh(self) -> None:
        if self.trader.ready:
            self.trader.query_position()
            self.trader.query_account()

    def _on_status(self, front: str, state: str, reason: str) -> None:
        self._tell_status(front, state, reason)
        if front == "td":
            self.market.follow(state)

    def _begin_day(self, trading_day: str) -> None:
        """ctpbee's lists of the day before, whose orders and trades are no more."""
        for table in (
            self.recorder.orders,
            self.recorder.active_orders,
            self.recorder.trades,
            self.recorder.positions,
        ):
            table.clear()
        self.recorder.errors.clear()
        self.recorder.logs.clear()
        self._on_day(trading_day)

    def _hold(self, symbols: Iterable[str]) -> None:
        self.market.hold(symbols)
