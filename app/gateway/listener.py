"""What follows from what the account's interface and store tell. Gateway process, event thread only."""

from __future__ import annotations

import logging
from concurrent.futures import Executor

from app.default_settings import AccountApi
from app.gateway.account import STATE_TEXT, AccountView, Fronts
from app.gateway.app import BackendApp
from app.gateway.connections import ConnectionHistory
from app.gateway.equity import EquityHistory
from app.gateway.journal import Journal
from app.gateway.last_known import LastKnown
from app.gateway.login import LoginDesk, NamedFront
from app.gateway.orders import OrderDesk
from app.gateway.publisher import Publisher
from app.gateway.risk.gate import Gate
from app.gateway.strategies.joined import Strategies
from app.gateway.subscriptions import Subscriptions
from app.interfaces.front import LOGGED_IN
from app.interfaces.wiring import Listener
from app.lib import calendar, rows
from app.lib.calendar import parse_day
from app.lib.errors import LoginRefused, SettingsError
from app.model.store import StoreState
from app.settings import Settings

log = logging.getLogger("account")


class AccountListener(Listener):
    """Tells pages, strategies and those who wait. What writes much to the store does so in `archive`."""

    def __init__(
        self,
        *,
        app: BackendApp,
        api: AccountApi,
        fronts: Fronts,
        account: AccountView,
        publisher: Publisher,
        strategies: Strategies,
        subscriptions: Subscriptions,
        login: LoginDesk,
        front: NamedFront,
        last_known: LastKnown,
        journal: Journal,
        desk: OrderDesk,
        equity: EquityHistory,
        gate: Gate,
        history: ConnectionHistory,
        settings: Settings,
        archive: Executor,
    ) -> None:
        self._app = app
        self._api = api
        self._fronts = fronts
        self._account = account
        self._publisher = publisher
        self._strategies = strategies
        self._subscriptions = subscriptions
        self._login = login
        self._front = front
        self._last_known = last_known
        self._journal = journal
        self._desk = desk
        self._equity = equity
        self._gate = gate
        self._history = history
        self._settings = settings
        self._archive = archive

    # ── the fronts ──

    def on_status(self, front: str, state: str, reason: str) -> None:
        was = self._fronts.state(front)
        if front == "td":
            reason = self._last_known.marked(was, state, reason)
        if not self._is_news(front, state, reason):
            return
        self._strategies.tell_fronts()
        name = "交易" if front == "td" else "行情"
        level = logging.WARNING if state in ("lost", "refused") else logging.INFO
        told = f"{name}前置：{STATE_TEXT.get(state, state)}{f'（{reason}）' if reason else ''}"
        log.log(level, told, extra={"owner": front})
        if front == "td":
            self._on_trading(state, reason)
        else:
            self._on_market(was, state)

    def _on_trading(self, state: str, reason: str) -> None:
        trader = self._app.trader
        if state in LOGGED_IN:
            self._front.keep()
        if state in ("lost", "resting") and trader.delay is not None:
            self._login.delayed(trader.delay)
        elif state == "refused":
            self._login.refused(trader.refusal or LoginRefused(reason))
        elif state == "ready":
            self._on_loaded()
        elif state == "loading":
            self._publisher.mute(True)
        if state == "resting" and self._account.is_past:
            self._publisher.mute(False)
            self._publisher.changed("contract")

    def _on_market(self, was: str, state: str) -> None:
        if state == "lost" and was != "lost":
            self._api.on_market_lost()
        if state == "ready" and self._account.contracts():
            self._subscriptions.restore()

    def _on_loaded(self) -> None:
        self._account.is_loaded()
        ledger = self._app.ledger
        self._archive.submit(self._last_known.keep_contracts, ledger.trading_day, ledger.instruments())
        self._publisher.mute(False)
        self._publisher.changed("contract")
        self._gate.loaded()
        self._strategies.loaded()
        self._subscriptions.restore()
        self._equity.loaded()
        self._login.loaded()

    # ── the account ──

    def on_day(self, trading_day: str) -> None:
        calendar.confirm(parse_day(trading_day))
        self._account.forget_rows()
        self._gate.on_day(trading_day)
        self._strategies.tell_day(trading_day)
        if self._settings.journal_days:
            self._archive.submit(self._journal.prune, trading_day, self._settings.journal_days)
        if self._settings.equity_days:
            self._archive.submit(self._equity.prune, trading_day, self._settings.equity_days)

    def on_cancel_refused(self, order_id: str, code: str, message: str) -> None:
        self._desk.on_cancel_refused(order_id, code, message)

    def on_difference(self, differences: list[str]) -> None:
        for difference in differences:
            log.warning("对账差异：%s", difference)
        self._publisher.error("BOOK_DIFFERENCE", "；".join(differences))
        self._publisher.changed("position", "account")

    def on_notice(self, code: str, message: str) -> None:
        log.warning("%s", message)
        self._publisher.error(code, message)

    def on_remark(self, text: str) -> None:
        log.info("资金：%s", text)
        self._publisher.changed("account")

    def on_password(self, password: str) -> None:
        self._login.password_changed(password)

    # ── what stands behind them ──

    def on_store(self, store: StoreState) -> None:
        """The store is there, or what is written waits on this disk: the log says so already."""
        self._is_news("store", store.state, store.reason)

    def look_at_calendar(self) -> None:
        """Its file may have changed, its end comes near: pages are told when that is news, the days that are
        left once a day.
        """
        try:
            if calendar.refresh():
                log.info("交易日历已按 %s 更正", self._settings.calendar_file)
            told = calendar.outlook(self._app.trader.counter_now().date())
        except SettingsError as error:
            told = calendar.Outlook("broken", f"{error.message}；先前的内容仍然有效")
        if self._is_news("calendar", told.state, told.text) and told.state != "sure":
            self.on_notice("CALENDAR", f"交易日历：{told.text}")

    def _is_news(self, what: str, state: str, reason: str) -> bool:
        """Keep it; the pages hear of what is news."""
        is_news = self._fronts.update(what, state, reason)
        if is_news:
            self._history.on_state(what, state, reason)
            self._publisher.push("status", rows.event("status", self._fronts.data()))
        return is_news
