"""Checking and trying out code: `python -m benchmarks.check_code`. POST /check_code beside bare `pylint`,
/run_code beside `python -c`.

The reference is pylint as it is installed, started once for each text with the reference server's own options
(`--disable=R,C`). The target is an answer in less than 2 seconds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.parts.report import machine, ms, percentile, ratio, table
from benchmarks.parts.stage import SERVER_CORE, Caller, Server, on_core, token_of

ACCOUNT = "sim-9999-benchmark"
HEAD = """from ctpbee import CtpbeeApi
from ctpbee.constant import BarData, TickData
from ctpbee.indicator.indicator import ma
"""
BODY = """

class Mine(CtpbeeApi):
    def __init__(self, name: str, code: str) -> None:
        super().__init__(name)
        self.instrument_set = {code}
        self.closes = []

    def on_tick(self, tick: TickData) -> None:
        self.info(f"{tick.local_symbol} {tick.last_price}")

    def on_bar(self, bar: BarData) -> None:
        self.closes.append(bar.close_price)
        if len(self.closes) > 20 and ma(self.closes, 5)[-1] > ma(self.closes, 20)[-1]:
            self.action.buy_open(bar.close_price, 1, bar)
"""
PANDAS = """
    def mean(self) -> float:
        frame = pd.DataFrame({"close": self.closes})
        return float(np.mean(frame["close"].rolling(5).mean()))
"""
LONG = "".join(
    f"""
    def part_{number}(self, price: float) -> float:
        total = 0.0
        for step in range({number} + 1):
            total += price * step
        return total
"""
    for number in range(330)
)
END = '\n\next = Mine("benchmark", "rb2510.SHFE")\n'
TEXTS = {
    "一般的策略，22 行": HEAD + BODY + END,
    "用 numpy 与 pandas": HEAD + "import numpy as np\nimport pandas as pd\n" + BODY + PANDAS + END,
    "2000 行": HEAD + BODY + LONG + END,
}
RUNS = {
    "print": "print(1)",
    "import ctpbee、pandas": "import ctpbee, pandas\nprint(pandas.Series([1]).sum())",
}


def timed(act: Callable[[], object], times: int) -> list[float]:
    """µs of each call."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1e6)
    return took


def asked(server: Server, token: str, path: str, text: str, times: int) -> list[float]:
    """µs of each answer, over a connection of its own: while the reference runs, the server would close one
    that idles.
    """
    caller = Caller(server.port, token)
    try:
        return timed(lambda: caller.ask("POST", path, text=text), times)
    finally:
        caller.close()


def bare_pylint(path: Path) -> None:
    with on_core(SERVER_CORE):
        done = subprocess.run(
            [sys.executable, "-m", "pylint", "--disable=R,C", "--output-format=json", str(path)],
            capture_output=True,
        )
    if done.returncode & 32:
        raise RuntimeError(done.stderr.decode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="check-code-") as folder:
        server = Server(Path(folder) / "data", everything=False)
        token = token_of(server.data_dir, ACCOUNT)
        try:
            rows = []
            for name, text in TEXTS.items():
                path = Path(folder) / "strategy.py"
                path.write_text(text, "utf-8")
                ours = asked(server, token, "/check_code", text, options.times)
                theirs = timed(lambda path=path: bare_pylint(path), options.times)  # type: ignore[misc]
                pair = percentile(ours, 0.5), percentile(theirs, 0.5)
                rows.append((name, ms(pair[0]), ms(max(ours)), ms(pair[1]), ratio(pair[1], pair[0])))
            head = ("代码", "/check_code p50 ms", "最长 ms", "pylint p50 ms（参照）", "参照是我们的")
            print(table(f"检查代码，各 {options.times} 次", head, rows), flush=True)
            rows = []
            for name, text in RUNS.items():
                ours = asked(server, token, "/run_code", text, options.times)
                plain = timed(
                    partial(subprocess.run, [sys.executable, "-c", text], capture_output=True, check=True),
                    options.times,
                )
                pair = percentile(ours, 0.5), percentile(plain, 0.5)
                rows.append((name, ms(pair[0]), ms(max(ours)), ms(pair[1]), ratio(pair[0], pair[1])))
            head = ("代码", "/run_code p50 ms", "最长 ms", "python -c p50 ms（参照）", "我们是参照的")
            print(table(f"试运行，各 {options.times} 次", head, rows), flush=True)
        finally:
            server.close()


if __name__ == "__main__":
    main()
