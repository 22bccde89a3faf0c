"""The market side of an account, on ctpbee's interface seam, over any link. Gateway process.

Everything runs in the event thread but `_intake` and `_take`, which run in the link's; `subscribe` and
`unsubscribe` may be called from any.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable

from ctpbee.constant import EVENT_ERROR, EVENT_TICK

from app.bee import fields
from app.interfaces.front import AccountFront
from app.interfaces.wiring import Wiring
from app.wire import frames
from app.wire.frames import DepthField

log = logging.getLogger(__name__)

STREAM_AGAIN = 1.0  # seconds before what the front did not take is subscribed again
TICK_BACKLOG = 20_000  # snapshots that wait before they are conflated per contract


class Market(AccountFront):
    """The market front. Streams what is subscribed, and what the account holds: its price moves the
    account.
    """

    name = "md"

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring)
        self._trading_day = ""
        self._wanted: set[str] = set()
        self._held: set[str] = set()
        self._streaming: set[str] = set()
        self._live: dict[str, str] = {}  # of those, the trading day of the newest quote
        self._ticks: deque[DepthField] = deque()
        self._ticks_lock = threading.Lock()
        self._record = wiring.record

    @property
    def md_status(self) -> bool:
        return self.ready

    @property
    def day(self) -> str:
        """The counter's trading day: the trading front hears of one that begins without a new login."""
        return max(self._trading_day, self._ledger.trading_day)

    def is_live(self, symbol: str) -> bool:
        """Whether its newest tick is what holds now. A front answers a subscription with what there is, then
        tells each change.
        """
        return self.ready and self._live.get(symbol) == self.day

    def follow(self, state: str) -> None:
        """Hear of the trading front's state: some market fronts depend on it."""

    def subscribe(self, symbol: str) -> int:
        """By `rb2501` or `rb2501.SHFE`; kept over reconnects."""
        self._wanted.add(symbol.partition(".")[0])
        self._loop.post(self._stream)
        return 0

    def unsubscribe(self, symbol: str) -> int:
        self._wanted.discard(symbol.partition(".")[0])
        self._loop.post(self._stream)
        return 0

    def hold(self, symbols: Iterable[str]) -> None:
        """The contracts that move the account, all of them; others are streamed only while they are
        subscribed.
        """
        self._held = set(symbols)
        self._stream()

    def _stream(self) -> None:
        if not self.ready:
            return
        target = self._wanted | self._held
        new, gone = target - self._streaming, self._streaming - target
        self._streaming = target
        for symbol in gone:
            self._live.pop(symbol, None)
        if gone:
            self._send(frames.ReqSubMarketData(InstrumentIDs=sorted(gone), subscribe=False))
        if new and not self._send(frames.ReqSubMarketData(InstrumentIDs=sorted(new))):
            self._streaming -= new
            self._loop.call_later(STREAM_AGAIN, self._stream)

    def _on_lost(self, reason: str) -> None:
        self._stop_streaming()
        super()._on_lost(reason)

    def _stop_streaming(self) -> None:
        self._streaming, self._live = set(), {}

    def _on_RspUserLogin(self, frame: frames.RspUserLogin) -> None:
        if frame.ErrorID:
            self._on_login_refused(frame)
            return
        assert self._link is not None
        self._link.settled()
        self._hear_clock(frame)
        self._trading_day = frame.TradingDay
        self._say("logged_in")
        self._is_ready()
        self._stream()

    def _on_Heartbeat(self, frame: frames.Heartbeat) -> None:
        self._clock.set(frame.now)
        self._trading_day = frame.TradingDay

    def _on_RspSubMarketData(self, frame: frames.RspSubMarketData) -> None:
        if not frame.ErrorID:
            return
        code, message = fields.refusal_of(frame.ErrorID, frame.ErrorMsg)
        log.warning("subscription of %s refused: %s %s", frame.InstrumentID, code, message)
        self._wanted.discard(frame.InstrumentID)
        self._streaming.discard(frame.InstrumentID)
        self._live.pop(frame.InstrumentID, None)
        self._emit(
            EVENT_ERROR,
            {"ErrorID": frame.ErrorID, "ErrorMsg": message, "detail": f"行情订阅失败 {frame.InstrumentID}"},
        )

    def _intake(self, frame: frames.AnyCallbackFrame) -> bool:
        """In the reader's thread: snapshots wait here, the newest of each contract alone once the event
        thread lags.
        """
        if not isinstance(frame, frames.RtnDepthMarketData):
            return False
        self._take(frame.ticks)
        return True

    def _take(self, ticks: list[DepthField]) -> None:
        self._record(ticks)
        with self._ticks_lock:
            idle = not self._ticks
            self._ticks += ticks
            if len(self._ticks) > TICK_BACKLOG:
                newest = {tick.InstrumentID: tick for tick in self._ticks}
                log.warning(
                    "the event thread lags: %d snapshots conflated to %d", len(self._ticks), len(newest)
                )
                self._ticks = deque(newest.values())
        if idle and ticks:
            self._loop.post(self._drain)

    def _drain(self) -> None:
        with self._ticks_lock:
            ticks, self._ticks = self._ticks, deque()
        for tick in ticks:
            try:
                self._on_tick(tick)
            except Exception:  # one contract's snapshot must not take the others' with it
                log.exception("snapshot of %s failed", tick.InstrumentID)

    def _on_tick(self, row: DepthField) -> None:
        instrument = self._ledger.instrument(row.InstrumentID)
        if instrument is not None:
            row.ExchangeID = instrument.ExchangeID  # real market fronts leave it out, and dates depend on it
        self._ledger.set_price(row.InstrumentID, row.LastPrice, row.PreSettlementPrice)
        if (
            row.InstrumentID not in self._streaming
            or row.ExchangeID not in fields.EXCHANGES
            or not row.UpdateTime
        ):
            return  # unsubscribed while it was on its way, of no contract of ours, or of no moment
        tick = fields.tick_of(
            row,
            name=instrument.InstrumentName if instrument else row.InstrumentID,
            exchange=fields.EXCHANGES[row.ExchangeID],
            trading_day=fields.day_of(row, self.day),
            now=self._clock.now(row.ExchangeID),
            gateway_name=self.gateway_name,
        )
        self._clock.advance(tick.datetime, row.ExchangeID)
        tick.datetime = self._clock.believed(tick.datetime, row.ExchangeID)
        self._live[row.InstrumentID] = tick.trading_day
        self._emit(EVENT_TICK, tick)
