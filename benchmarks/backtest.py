"""Backtests beside ctpbee's looper and vnpy_ctastrategy: `python -m benchmarks.backtest`. The same bars and
ticks, the same strategy, each engine in a process of its own, turn by turn.

What is counted is CPU time of the run alone, without reading the data and what a process does once. Shown is
the median of the rounds, and the median of the rounds' ratios. Last comes a contract-year of 1-minute bars as
one trial of a search has it: run and result.json, the data being there already.

vnpy is installed into a throw-away environment of its own, build/vnpy, where there is none yet and it can be.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.parts import backtest_market
from benchmarks.parts.report import machine, table, thousands

ROOT = Path(__file__).parents[1]
VNPY = ROOT / "build/vnpy"
VNPY_PACKAGE = "vnpy_ctastrategy==1.4.1"
WHAT = (  # kind, the strategy's band, and the events between two orders that it makes
    ("bars", 6.4, "K 线，约 90 根一张"),
    ("bars", 1.0, "K 线，约 8 根一张"),
    ("ticks", 2.1, "tick，约 80 笔一张"),
    ("ticks", 0.0, "tick，约 6 笔一张"),
)
YEAR = 100_000  # bars; there are fewer
Run = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="bars, and ticks, of each run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-vnpy", action="store_true", help="do not install vnpy, nor run it")
    options = parser.parse_args()
    print(machine(), flush=True)
    vnpy, why = (None, "没有要它") if options.no_vnpy else vnpy_python()
    with tempfile.TemporaryDirectory(prefix="backtest-") as folder:
        market = Path(folder) / "market.json"
        backtest_market.write(market, YEAR, options.events)
        engines = {
            "ctpbee looper（参照）": [sys.executable, "-m", "benchmarks.reference.looper_backtest"],
            "本项目": [sys.executable, "-m", "benchmarks.parts.backtest_run"],
        }
        if vnpy is not None:
            engines["vnpy_ctastrategy"] = [str(vnpy), str(ROOT / "benchmarks/reference/vnpy_backtest.py")]
        print(beside(engines, market, options.events, options.rounds), flush=True)
        if vnpy is None:
            print(f"没有 vnpy：{why}\n", flush=True)
        print(year(market, options.rounds))


def vnpy_python() -> tuple[Path | None, str]:
    """A Python that has vnpy_ctastrategy; or why there is none."""
    python = VNPY / "bin/python"
    probe = [str(python), "-c", "import vnpy_ctastrategy.backtesting"]
    if python.exists() and not subprocess.run(probe, capture_output=True).returncode:
        return python, ""
    uv = [sys.executable, "-m", "uv"]
    for command in (
        [*uv, "venv", "--clear", "--python", sys.executable, str(VNPY)],
        [*uv, "pip", "install", "--python", str(python), VNPY_PACKAGE],
        probe,
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return None, done.stderr.strip().splitlines()[-1]
    return python, ""


def beside(engines: dict[str, list[str]], market: Path, events: int, rounds: int) -> str:
    rows = []
    for kind, band, title in WHAT:
        runs: dict[str, list[Run]] = {name: [] for name in engines}
        for _ in range(rounds):
            for name, command in engines.items():
                runs[name].append(ran(command, market, kind, events, band))
        looper, *_ = runs.values()
        for name, found in runs.items():
            rate = median(one["events"] / one["seconds"] for one in found)
            to_looper, to_vnpy = (
                median(
                    theirs["seconds"] / ours["seconds"] for theirs, ours in zip(others, found, strict=True)
                )
                if others
                else None
                for others in (looper, runs.get("vnpy_ctastrategy"))
            )
            last = found[-1]
            rows.append(
                (
                    title,
                    name,
                    thousands(rate),
                    f"{1e6 / rate:.1f}",
                    *(f"{share:.2f} 倍" if share else "—" for share in (to_looper, to_vnpy)),
                    f"{last['events'] / last['orders']:.1f}",
                )
            )
    head = ("", "引擎", "每秒", "每个 µs", "与 looper", "与 vnpy", "每几个一张报单")
    return table(f"回测，各 {thousands(events)} 根或笔，{rounds} 轮", head, rows)


def year(market: Path, rounds: int) -> str:
    ours = [sys.executable, "-m", "benchmarks.parts.backtest_run"]
    rows = []
    for kind, band, title in WHAT[:2]:
        found = [ran(ours, market, kind, YEAR, band) for _ in range(rounds)]
        rows.append(
            (
                title,
                thousands(found[0]["events"]),
                thousands(found[0]["orders"]),
                f"{median(one['seconds'] for one in found):.2f}",
                f"{median(one['trial'] for one in found):.2f}",
                f"{found[0]['bytes'] / 1e6:.1f}",
            )
        )
    head = ("", "根", "报单", "运行 s", "连同 result.json s", "result.json MB")
    return table("一个合约一年的 1 分钟 K 线，数据已在内存", head, rows)


def ran(command: Sequence[str], market: Path, kind: str, events: int, band: float) -> Run:
    done = subprocess.run(
        [*command, str(market), kind, str(events), str(band)], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
