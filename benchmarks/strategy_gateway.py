"""A real gateway whose quotes are fed by hand, stamped where its callbacks begin. A process of its own, a part of strategies.py.

The first extension that ctpbee calls writes a stamp (nanoseconds of the monotonic clock) on the tick, the last one says how long a
tick takes in this process: the reference. What strategies hear carries the stamp with it.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

from ctpbee import CtpbeeApi
from ctpbee.constant import TickData

from app.counter.frames import DepthField
from app.gateway.bee import Everything
from app.gateway.registry import Registry
from app.gateway.service import Login, Service
from app.model import open_store
from app.settings import Settings
from benchmarks.report import percentile
from benchmarks.stage import answering, until

ACCOUNT = "sim-9999-benchmark"


class Stamp(CtpbeeApi):
    """With `taken`, the last extension: it reads the stamp that the first has written."""

    def __init__(self, name: str, folder: Path, taken: list[int] | None = None) -> None:
        super().__init__(name, cache_path=str(folder))
        self.instrument_set = Everything()
        self._taken = taken

    def on_tick(self, tick: TickData) -> None:
        if self._taken is None:
            tick.__dict__["stamp"] = time.monotonic_ns()
        else:
            self._taken.append(time.monotonic_ns() - tick.__dict__["stamp"])


class Gateway:
    """Logged in at the counter of the data directory; `feed` has ticks come in as from the market front's reader thread."""

    def __init__(self, data_dir: Path) -> None:
        settings = Settings.load(data_dir=data_dir)
        folder = data_dir / "accounts" / ACCOUNT
        folder.mkdir(parents=True, exist_ok=True)
        counter = until(lambda: Registry(data_dir).find("counter"), "the counter runs")
        login = Login(ACCOUNT, "sim", "9999", "benchmark", "benchmark", counter_address=counter.address)
        self._service = Service(settings, login, open_store(settings, ACCOUNT), folder, lambda _code: None)
        app = self._app = self._service._app
        self._taken: list[int] = []
        extensions = dict(app._extensions)
        app._extensions.clear()
        for extension in (Stamp("first", folder), *extensions.values(), Stamp("last", folder, self._taken)):
            app._extensions[extension.extension_name] = extension
        threading.Thread(target=self._service.loop.run, name="events", daemon=True).start()
        self._service.start()
        until(lambda: app.trader is not None and app.trader.ready and app.market.ready, "the gateway is logged in")

    def act(self, do: str, what: dict[str, Any]) -> Any:
        if do == "feed":
            return self._feed(what["contracts"], what["rate"], what["seconds"], what["burst"])
        return sorted(self._app.ledger.contracts)[: what["count"]]

    def _feed(self, symbols: list[str], rate: float, seconds: float, burst: bool) -> dict[str, float]:
        """`rate` ticks a second of each contract: all of them at one moment, or spread evenly over the time between."""
        market, loop = self._app.market, self._service.loop
        names = [symbol.partition(".")[0] for symbol in symbols]
        loop.run_sync(lambda: market._streaming.update(names)).result(5)
        self._taken.clear()
        steps = round(rate * seconds)
        began = time.monotonic()
        for step in range(steps):
            ticks = [self._tick(name, step) for name in names]
            for at, batch in enumerate([ticks] if burst else [[tick] for tick in ticks]):
                due = began + (step + (0 if burst else at / len(ticks))) / rate
                time.sleep(max(0.0, due - time.monotonic()))
                market._take(batch)
        time.sleep(1.0)
        taken = [nanoseconds / 1000 for nanoseconds in self._taken]
        return {"sent": steps * len(names), "p50": percentile(taken, 0.5), "p99": percentile(taken, 0.99)}

    def _tick(self, symbol: str, step: int) -> DepthField:
        instrument = self._app.ledger.instrument(symbol)
        assert instrument is not None
        now = self._app.trader.counter_now()
        price = instrument.PreSettlementPrice + instrument.PriceTick * (step % 10)
        return DepthField(
            InstrumentID=symbol,
            ExchangeID=instrument.ExchangeID,
            TradingDay=self._app.ledger.trading_day,
            ActionDay=now.strftime("%Y%m%d"),
            UpdateTime=now.strftime("%H:%M:%S"),
            UpdateMillisec=now.microsecond // 1000,
            LastPrice=price,
            Volume=1000 + step,
            Turnover=1e6 + step,
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


if __name__ == "__main__":
    answering(Gateway(Path(sys.argv[1])).act)
