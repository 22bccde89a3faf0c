"""A real gateway whose quotes are fed by hand, as from its market front's reader thread. For parts that are
processes of their own.
"""

from __future__ import annotations

import threading
from pathlib import Path

from app.data_dir import account_folder
from app.gateway.app import BackendApp
from app.gateway.gateway import Gateway
from app.model import open_store
from app.settings import Settings
from app.wire.frames import DepthField
from app.wire.messages import Login
from app.wire.registry import Registry
from benchmarks.parts.stage import until
from tests.support.in_loop import in_loop

ACCOUNT = "sim-9999-benchmark"


class HandFedGateway:
    """Logged in at the counter of the data directory."""

    def __init__(self, data_dir: Path) -> None:
        settings = Settings.load(data_dir=data_dir)
        self.folder = account_folder(data_dir, ACCOUNT)
        self.folder.mkdir(parents=True, exist_ok=True)
        counter = until(lambda: Registry(data_dir).find("counter"), "the counter runs")
        login = Login(
            "sim", "9999", "benchmark", "benchmark", account=ACCOUNT, counter_address=counter.address
        )
        self.gateway = Gateway(
            settings, login, open_store(settings, ACCOUNT), self.folder, lambda _code: None
        )
        app = self.app = self.gateway.app
        self.prepare(app)
        threading.Thread(target=self.gateway.loop.run, name="events", daemon=True).start()
        self.gateway.start()
        until(
            lambda: app.trader is not None and app.trader.ready and app.market.ready,
            "the gateway is logged in",
        )

    def prepare(self, app: BackendApp) -> None:
        """Before it starts."""

    def contracts(self, count: int) -> list[str]:
        """The local symbols of as many."""
        return sorted(self.app.ledger.contracts)[:count]

    def stream(self, symbols: list[str]) -> None:
        """What comes of these is taken, though the counter was not asked for it."""
        names = [symbol.partition(".")[0] for symbol in symbols]
        in_loop(self.gateway.loop, lambda: self.app.market._streaming.update(names))

    def take(self, ticks: list[DepthField]) -> None:
        """The callback."""
        self.app.market._take(ticks)

    def tick(self, symbol: str, step: int, turnover: float) -> DepthField:
        """One of a contract without its exchange; `step` moves price and volume."""
        instrument = self.app.ledger.instrument(symbol)
        assert instrument is not None
        now = self.app.trader.counter_now()
        price = instrument.PreSettlementPrice + instrument.PriceTick * (step % 10)
        return DepthField(
            InstrumentID=symbol,
            ExchangeID=instrument.ExchangeID,
            TradingDay=self.app.ledger.trading_day,
            ActionDay=now.strftime("%Y%m%d"),
            UpdateTime=now.strftime("%H:%M:%S"),
            UpdateMillisec=now.microsecond // 1000,
            LastPrice=price,
            Volume=1000 + step,
            Turnover=turnover,
            OpenInterest=5000.0,
            OpenPrice=price,
            HighestPrice=price,
            LowestPrice=price,
            PreSettlementPrice=instrument.PreSettlementPrice,
            PreClosePrice=instrument.PreSettlementPrice,
            PreOpenInterest=5000.0,
            UpperLimitPrice=instrument.UpperLimitPrice,
            LowerLimitPrice=instrument.LowerLimitPrice,
            BidPrice1=price - instrument.PriceTick,
            BidVolume1=5,
            AskPrice1=price + instrument.PriceTick,
            AskVolume1=5,
        )
