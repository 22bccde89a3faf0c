"""A run's result for people: a page that opens offline, with everything in it, and a few lines for a
terminal. Pure; whoever has the result.

The result may be a strategy's own writing: every text in it is escaped, and what is not as it should be is
refused before it is shown.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any, NamedTuple

from app.backtest.report.html import WIDTH, axis, curve, page_of, shown, spread, table_of
from app.lib.bars import day_start
from app.lib.calendar import SHANGHAI

TALL = 340
MOST_CHARTS = 6
NAMES = (
    ("net_profit", "净利润（盯市）", "yuan"),
    ("net_profit_closed", "平仓净利润（逐笔，扣全部手续费）", "yuan"),
    ("open_profit", "未平仓浮动盈亏", "yuan"),
    ("commission", "手续费", "yuan"),
    ("slippage_cost", "滑点成本（已在成交价里）", "yuan"),
    ("return", "收益率", "share"),
    ("annual_return", "年化收益率", "share"),
    ("max_drawdown", "最大回撤", "yuan"),
    ("max_drawdown_share", "最大回撤比例", "share"),
    ("volatility", "年化波动率", "share"),
    ("sharpe", "夏普比率", "ratio"),
    ("sortino", "索提诺比率", "ratio"),
    ("calmar", "卡玛比率", "ratio"),
    ("trading_days", "交易日", "count"),
    ("trades", "成交笔数", "count"),
    ("round_trips", "平仓回合", "count"),
    ("win_rate", "胜率（回合，扣费后）", "share"),
    ("profit_factor", "盈亏比（总盈 ÷ 总亏）", "ratio"),
    ("expectancy", "每回合期望", "yuan"),
    ("average_holding_seconds", "平均持有", "time"),
    ("turnover", "成交额", "yuan"),
    ("margin_peak", "保证金峰值", "yuan"),
    ("margin_peak_share", "保证金峰值 ÷ 资金", "share"),
    ("exposure", "持仓时间比例", "share"),
)


def summary(result: dict[str, Any]) -> list[str]:
    """For a terminal: the figures, then what has to be known of them."""
    lines = [f"{name}：{shown(result['figures'][key], kind)}" for key, name, kind in NAMES[:17]]
    return [*lines, *(f"注意：{text}" for text in result["warnings"])]


def page(result: dict[str, Any]) -> str:
    """Self-contained HTML."""
    settings = result["settings"]
    balances = [point[1] for point in result["equity"]]
    every = len(balances) // WIDTH + 1
    days = spread([point[0][:10] for point in result["equity"]])
    title = f"回测 {'、'.join(settings['strategies'])} {'、'.join(settings['contracts'][:5])}"
    body = "".join(
        [
            f"<h1>{escape(title)}</h1>",
            f"<p>{escape(settings['first'][:16])} 至 {escape(settings['last'][:16])}</p>",
            *(f'<p class="warn">{escape(str(text))}</p>' for text in result["warnings"]),
            "<h2>指标</h2>",
            _figures(result["figures"]),
            *(
                f"<h2>{escape(name)} K 线（{escape(of['interval'])}）与成交</h2>"
                + _candles(of["rows"], _marks(name, of, result["trades"]))
                for name, of in list(result["candles"].items())[:MOST_CHARTS]
            ),
            "<h2>权益</h2>",
            curve(balances[::-1][::every][::-1], "#1565c0", days),
            "<h2>回撤（%）</h2>",
            curve(_falls(balances)[::-1][::every][::-1], "#c62828", days),
            "<h2>各月</h2>",
            _months(result["figures"]["by_month"]),
            "<h2>各合约</h2>",
            _groups(result["figures"]["by_contract"]),
            "<h2>多空</h2>",
            _groups(
                {
                    {"long": "多", "short": "空"}[side]: group
                    for side, group in result["figures"]["by_side"].items()
                }
            ),
            _rolls(result.get("continuous")),
            "<h2>成交</h2>",
            _trades(result["trades"]),
            "<h2>没有成交的委托，及原因</h2>",
            _refused(result),
            "<h2>成交的假定与输入</h2>",
            _settings(settings),
        ]
    )
    return page_of(title, body)


# ── parts ──


def _figures(figures: dict[str, Any]) -> str:
    rows = [(name, shown(figures[key], kind)) for key, name, kind in NAMES]
    fall = figures["drawdown"]
    since, lowest = fall["peak_day"] or "开始", fall["lowest_day"]
    if lowest:
        back = fall["recovered_day"] or "尚未收复"
        rows.append(("最大回撤的时间", f"{since} → {lowest} → {back}"))
        rows.append(("最长未创新高", f"{fall['days_under_water']} 个交易日"))
    return table_of(("指标", "值"), rows, numbers={1})


def _months(months: dict[str, dict[str, Any]]) -> str:
    rows = [
        (f"{month[:4]}-{month[4:]}", shown(of["net"], "yuan"), shown(of["return"], "share"))
        for month, of in months.items()
    ]
    return table_of(("月", "净利润", "收益率"), rows, numbers={1, 2})


def _groups(groups: dict[str, dict[str, Any]]) -> str:
    rows = [
        (
            name,
            shown(of["net"], "yuan"),
            shown(of["lots"], "count"),
            shown(of["round_trips"], "count"),
            shown(of["win_rate"], "share"),
            shown(of["profit_factor"], "ratio"),
        )
        for name, of in groups.items()
    ]
    return table_of(("", "净利润", "平仓手数", "回合", "胜率", "盈亏比"), rows, numbers={1, 2, 3, 4, 5})


def _rolls(continuous: dict[str, Any] | None) -> str:
    """The changes of main contracts, nothing for a run without them."""
    if continuous is None:
        return ""
    rows = [
        (
            roll["trading_day"],
            f"{roll['old']} → {roll['new']}",
            f"{roll['old_open_interest']:.0f} → {roll['new_open_interest']:.0f}",
            f"{roll['old_close']:g} → {roll['new_close']:g}",
            f"{roll['difference']:+g}",
        )
        for of in continuous["products"].values()
        for roll in of["rolls"]
    ]
    heads = ("交易日（夜盘起）", "主力合约", "前一日持仓量", "前一日收盘", "价差")
    return "<h2>换月</h2>" + table_of(heads, rows, numbers={4})


def _trades(trades: Sequence[dict[str, Any]]) -> str:
    rows = [
        (
            trade["moment"],
            trade["symbol"],
            f"{trade['side']}{trade['offset']}",
            trade["volume"],
            f"{trade['price']:g}",
            f"{trade['commission']:.2f}",
            trade["strategy"],
        )
        for trade in trades[:MOST_ROWS]
    ]
    table = table_of(("时间", "合约", "方向", "手数", "价格", "手续费", "策略"), rows, numbers={3, 4, 5})
    return f'<div class="scroll">{table}</div>{_rest(len(trades))}'


def _refused(result: dict[str, Any]) -> str:
    orders = [order for order in result["orders"] if not order["traded"]]
    rows = [
        (
            order["datetime"][:19],
            order["symbol"],
            f"{order['direction']}{order['offset']}",
            f"{order['price']:g} × {order['volume']:g}",
            order["status"],
            order["error_message"] or order["status_msg"],
        )
        for order in orders
    ] + [
        (one["time"], one["symbol"], "", f"{one['price']:g} × {one['volume']}", "未发出", one["reason"])
        for one in result["not_sent"]
    ]
    table = table_of(("时间", "合约", "方向", "价格 × 手数", "状态", "原因"), rows[:MOST_ROWS])
    return f'<div class="scroll">{table}</div>{_rest(len(rows))}'


MOST_ROWS = 500


def _rest(count: int) -> str:
    return f"<p>共 {count} 行，此处只列前 {MOST_ROWS} 行；全部在 result.json</p>" if count > MOST_ROWS else ""


def _settings(settings: dict[str, Any]) -> str:
    fills = settings["fills"]
    latency = fills["latency_ms"]
    rows = [
        ("程序版本", settings["version"]),
        ("资金", shown(settings["capital"], "yuan")),
        ("行情", "1 分钟 K 线" if settings["by"] == "bars" else "tick"),
        ("进场的委托离开盘价", f"{fills['spread_ticks']} 个最小变动价位（K 线）"),
        ("滑点", f"{fills['slippage_ticks']} 个最小变动价位"),
        ("在途", "下一根的开盘 / 下一笔快照" if latency is None else f"{latency} 毫秒（tick）"),
        ("一边至多占一根的成交量", f"{fills['participation']:.0%}（K 线）"),
        ("费率", settings["rates"]),
        ("风控", _risk(settings["risk"])),
        ("一年的交易日", str(settings["year_days"])),
        *((f"策略 {name}", digest) for name, digest in settings["strategies"].items()),
        *((f"数据 {name}", digest) for name, digest in settings["data"].items()),
    ]
    return table_of(("项", "值"), rows)


def _risk(risk: dict[str, Any]) -> str:
    """What the gate judged by, beyond the default rules."""
    own = [str(rule.get("id", rule.get("measure", ""))) for rule in risk["rules"]]
    limits = [
        f"{name}（{'、'.join(f'{key} {value}' for key, value in values.items() if value)}）"
        for name, values in risk["limits"].items()
    ]
    parts = [
        f"自己的规则 {'、'.join(own)}" if own else "",
        f"策略的限制 {'、'.join(limits)}" if limits else "",
    ]
    return "；".join(["缺省的规则", *filter(None, parts)])


class _Mark(NamedTuple):
    """What was bought, or sold, in the time of one candle."""

    candle: int
    bought: bool
    price: float  # average by lots
    words: str


def _marks(local_symbol: str, candles: dict[str, Any], trades: Sequence[dict[str, Any]]) -> list[_Mark]:
    """However many trades there are, two for a candle at the most."""
    symbol = local_symbol.partition(".")[0]
    starts = [row[0] for row in candles["rows"]]
    by_day = candles["interval"] == "1d"
    found: dict[tuple[int, bool], list[dict[str, Any]]] = {}
    for trade in trades:
        if trade["symbol"] != symbol:
            continue
        moment = (
            day_start(trade["trading_day"])  # its night comes before the midnight where a day's candle begins
            if by_day
            else datetime.fromisoformat(trade["moment"]).replace(tzinfo=SHANGHAI).timestamp() * 1000
        )
        at = bisect_right(starts, moment) - 1
        if at >= 0:
            found.setdefault((at, trade["side"] == "多"), []).append(trade)
    return [_mark(at, bought, of) for (at, bought), of in found.items()]


def _mark(candle: int, bought: bool, trades: Sequence[dict[str, Any]]) -> _Mark:
    lots = sum(trade["volume"] for trade in trades)
    price = sum(trade["price"] * trade["volume"] for trade in trades) / lots
    first = trades[0]
    if len(trades) == 1:
        words = f"{first['moment']} {first['side']}{first['offset']} {lots} 手 {price:g}"
    else:
        words = (
            f"{first['moment'][:16]} 至 {trades[-1]['moment'][:16]} "
            f"{'买' if bought else '卖'} {len(trades)} 笔 {lots} 手，均价 {price:.2f}"
        )
    return _Mark(candle, bought, price, words)


def _candles(rows: Sequence[Sequence[float]], marks: Sequence[_Mark]) -> str:
    """Red rises, green falls, as in China; a triangle for what was bought or sold in a candle's time, which
    says itself when it is pointed at.
    """
    low, high = min(row[3] for row in rows), max(row[2] for row in rows)
    height, step = (high - low) or 1.0, WIDTH / len(rows)

    def y(price: float) -> float:
        return TALL - 12 - (price - low) / height * (TALL - 24)

    bodies = {"#c62828": "", "#2e7d32": ""}
    for number, (_, first, top, bottom, last, _volume) in enumerate(rows):
        x, half = (number + 0.5) * step, max(step * 0.35, 0.4)
        upper, lower = sorted((y(first), y(last)))
        bodies["#c62828" if last >= first else "#2e7d32"] += (
            f"M{x:.1f} {y(top):.1f}V{y(bottom):.1f}"
            f"M{x - half:.1f} {upper:.1f}h{2 * half:.1f}V{max(lower, upper + 0.5):.1f}h{-2 * half:.1f}Z"
        )
    signs = ""
    for mark in marks:
        x, tip = (mark.candle + 0.5) * step, y(mark.price)
        away, colour = (8, "#c62828") if mark.bought else (-8, "#2e7d32")
        signs += (
            f'<path fill="{colour}" stroke="#fff" stroke-width=".5" d="M{x:.1f} {tip:.1f}l-4 {away}h8Z">'
            f"<title>{escape(mark.words)}</title></path>"
        )
    lines = "".join(
        f'<path fill="{colour}" stroke="{colour}" d="{path}"/>' for colour, path in bodies.items()
    )
    days = [f"{datetime.fromtimestamp(row[0] / 1000, SHANGHAI):%Y-%m-%d}" for row in spread(rows)]
    return (
        f'<svg viewBox="0 0 {WIDTH} {TALL}" role="img">{lines}{signs}'
        f'<text x="4" y="12" font-size="12" fill="#888">{high:g}</text>'
        f'<text x="4" y="{TALL - 2}" font-size="12" fill="#888">{low:g}</text></svg>{axis(days)}'
    )


def _falls(values: Sequence[float]) -> list[float]:
    """Below the highest so far, in per cent."""
    peak, found = 0.0, []
    for value in values:
        peak = max(peak, value)
        found.append((value / peak - 1) * 100 if peak > 0 else 0.0)
    return found
