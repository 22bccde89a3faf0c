"""The ctpbee app of one account, with our interfaces, our book and our event thread in it. Gateway process.

What differs from a plain CtpBee: the interface comes from app/interfaces, positions from our own
book, timers from the event thread instead of ctpbee's refresh thread, and an extension that fails is logged
and stops nobody else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ctpbee import CtpBee
from ctpbee.constant import EVENT_TIMER, ContractData, Event
from ctpbee.signals import common_signals

from app.bee.extensions import Extensions, Guarded
from app.bee.logger import BeeLogger
from app.bee.positions import BookPositions
from app.gateway.tick_recorder import NoRecorder, TickRecorder
from app.interfaces import interface_classes
from app.interfaces.ledger import Ledger
from app.interfaces.wiring import Listener, Wiring
from app.lib.market_orders import market_orders
from app.model.store import Store
from app.process.event_loop import EventLoop, Timer
from app.settings import Settings
from app.wire.messages import Login


class BackendApp(CtpBee):
    """One account's ctpbee. `start()` begins to connect, `release()` ends it; both from any thread.

    `connect_info`: brokerid, userid, password; for `sim` counter_address, a channel address or a function
    that finds it; for `ctp` td_address, md_address, appid, auth_code, new_password ("": none), password_taken
    (whether the counter has taken this password before), flow_dir, query_interval (seconds),
    settlement_confirm, never_rests (the fronts go on outside the exchanges' hours), barred ("" unless this
    front is not the account's); for both market_orders (app/lib/market_orders.py). `listener` is set before
    `start`; it is called in the event thread, like every signal of ctpbee's.
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
        self.listener = Listener()
        self.ticks: TickRecorder | NoRecorder = NoRecorder()
        self._extensions = Extensions(Guarded)
        self._timers: dict[str, Timer] = {}
        self.recorder.position_manager = BookPositions(self, lambda: self.ledger.book.positions())
        self.r = False  # not None: ctpbee then starts no refresh thread of its own

    def init_interface(self) -> None:
        """Make market and trader, begin to connect, and run the timers that ctpbee's refresh thread would."""
        if self._init_interface:
            return
        self._init_interface = True
        self.active = True
        wiring = Wiring(
            name=self.config["INTERFACE"],
            signals=self.app_signal,
            loop=self.loop,
            store=self.store,
            ledger=self.ledger,
            listener=self.listener,
            follow_trading=lambda state: self.market.follow(state),
            forget_day=self._forget_day,
            hold=lambda symbols: self.market.hold(symbols),
            record=self.ticks.take,
        )
        self.market = self._market_class(wiring)
        self.trader = self._trader_class(wiring)
        self.ticks.start()
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
        self.ticks.close(1.0)
        for event in common_signals.event:
            getattr(common_signals, f"{event}_signal").disconnect(self.recorder.get_func(event))
        self.active = False

    def _on_timer(self) -> None:
        common_signals.timer_signal.send(Event(type=EVENT_TIMER))

    def _refresh(self) -> None:
        if self.trader.ready:
            self.trader.query_position()
            self.trader.query_account()

    def _forget_day(self) -> None:
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


def connect_info(
    login: Login, settings: Settings, folder: Path, barred: str, counter_address: Callable[[], str]
) -> dict[str, Any]:
    """What BackendApp connects with; `folder` is the account's."""
    return {
        "brokerid": login.brokerid,
        "userid": login.userid,
        "password": login.password,
        "auth_code": login.auth_code,
        "appid": login.appid,
        "td_address": login.td_address,
        "md_address": login.md_address,
        "barred": barred,
        "new_password": login.new_password,
        "password_taken": login.password_taken,
        "counter_address": counter_address,
        "flow_dir": folder / "flow",
        "query_interval": settings.ctp_query_interval,
        "settlement_confirm": settings.settlement_confirm,
        "never_rests": settings.ctp_hours == "always",
        "market_orders": market_orders(settings.market_orders),
    }
