"""A search's document for people: a page that opens offline, and a few lines for a terminal. Pure; whoever
has the document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from app.backtest.report.html import WIDTH, curve, page_of, shown, table_of

OBJECTIVES = {
    "sharpe": ("夏普比率", "ratio"),
    "sortino": ("索提诺比率", "ratio"),
    "calmar": ("卡玛比率", "ratio"),
    "net_profit": ("净利润（盯市）", "yuan"),
    "return": ("收益率", "share"),
    "annual_return": ("年化收益率", "share"),
    "profit_factor": ("盈亏比", "ratio"),
    "win_rate": ("胜率", "share"),
    "expectancy": ("每回合期望", "yuan"),
}
SHOWN = (
    ("net_profit", "净利润", "yuan"),
    ("annual_return", "年化", "share"),
    ("max_drawdown_share", "最大回撤", "share"),
    ("sharpe", "夏普", "ratio"),
    ("calmar", "卡玛", "ratio"),
    ("round_trips", "回合", "count"),
)
LEAST_WRITTEN = 24  # pixels of a cell in which its number is written
TALLEST = 480
LEFT, BELOW = 70, 20
KINDS = {"grid": "网格", "random": "随机", "walk_forward": "滚动优化"}


def summary(document: Mapping[str, Any]) -> list[str]:
    """For a terminal."""
    objective, kind = OBJECTIVES[document["request"]["objective"]]
    lines = [f"{KINDS[document['request']['kind']]}：{_counted(document)}"]
    for row in document["best"][:3]:
        value = shown(row["in_sample"][document["request"]["objective"]], kind)
        lines.append(f"{_point(row['parameters'])}：{objective} {value}{_outside(document, row, kind)}")
    if document["deflated"]:
        lines.append(f"缩水夏普的概率：{shown(document['deflated']['probability'], 'share')}")
    walked = document["walk_forward"]
    if walked and walked["figures"]:
        figures = walked["figures"]
        lines += [f"样本外{name}：{shown(figures[key], kind)}" for key, name, kind in SHOWN[:5]]
    return [*lines, *(f"注意：{text}" for text in document["warnings"])]


def page(document: Mapping[str, Any]) -> str:
    """Self-contained HTML."""
    title = f"参数搜索 {document['strategy']}"
    objective, kind = OBJECTIVES[document["request"]["objective"]]
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(KINDS[document['request']['kind']])}，按{objective}。{escape(_counted(document))}</p>",
        *(f'<p class="warn">{escape(str(text))}</p>' for text in document["warnings"]),
    ]
    if document["walk_forward"]:
        body.append(_walked(document["walk_forward"], document["request"]["objective"], kind))
    if document["best"]:
        body += ["<h2>最好的十组</h2>", _best(document, kind), _deflated(document["deflated"])]
    body += [
        f"<h2>{_title_of(one)}</h2>" + _heat(one, kind)
        for one in document["map"]
        if any(value is not None for row in one["values"] for value in row)
    ]
    body += ["<h2>输入</h2>", _inputs(document)]
    return page_of(title, "".join(body))


# ── words ──


def _counted(document: Mapping[str, Any]) -> str:
    failed = f"，失败 {document['failed']} 次" if document["failed"] else ""
    partial = "，还没有做完" if document["partial"] else ""
    return f"共 {document['count']} 次试算，完成 {document['done']} 次{failed}{partial}"


def _point(parameters: Mapping[str, Any]) -> str:
    return "、".join(f"{name}={_written(value)}" for name, value in parameters.items())


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _outside(document: Mapping[str, Any], row: Mapping[str, Any], kind: str) -> str:
    outside = row.get("out_of_sample")
    if not outside:
        return ""
    if "error" in outside:
        return f"，样本外失败：{outside['error']}"
    return f"，样本外 {shown(outside[document['request']['objective']], kind)}"


def _title_of(one: Mapping[str, Any]) -> str:
    return escape(f"横 {one['x']}，纵 {one['y']}" if one["y"] else str(one["x"]))


# ── tables ──


def _best(document: Mapping[str, Any], kind: str) -> str:
    names = list(document["best"][0]["parameters"])
    is_split = bool(document["request"]["out_of_sample"])
    heads = [*names, *(name for _, name, _ in SHOWN), "缩水夏普的概率", "邻近各组的平均", "邻近最差"]
    if is_split:
        heads += [f"样本外{name}" for _, name, _ in SHOWN]
    rows = []
    for one in document["best"]:
        row = [_written(one["parameters"][name]) for name in names]
        row += [shown(one["in_sample"][key], of) for key, _, of in SHOWN]
        row += [shown(one["probability"], "share")]
        row += [shown(one["neighbours"][key], kind) for key in ("mean", "least")]
        if is_split:
            outside = one["out_of_sample"] or {}
            row += [shown(outside.get(key), of) for key, _, of in SHOWN]
        rows.append(row)
    return f'<div class="scroll">{table_of(heads, rows, numbers=range(len(heads)))}</div>'


def _deflated(found: Mapping[str, Any] | None) -> str:
    if not found:
        return ""
    return (
        f"<p>试了 {found['trials']} 组。纯凭运气，其中最好的一组每日夏普也有 {found['expected_best']:.4f}；"
        f"这里最好的是 {found['sharpe']:.4f}（{found['days']} 天，偏度 {found['skew']:.2f}，峰度 "
        f"{found['kurtosis']:.2f}）：真实的夏普大于 0 的概率 {found['probability']:.1%}（Bailey 与 López de "
        "Prado 的缩水夏普）。</p>"
    )


def _walked(walked: Mapping[str, Any], objective: str, kind: str) -> str:
    rows = []
    for one in walked["windows"]:
        outside = one["out_of_sample"] or {}
        rows.append(
            (
                " 至 ".join(one["train"]),
                " 至 ".join(one["test"]),
                _point(one["parameters"]) if one["parameters"] else "—",
                shown((one["in_sample"] or {}).get(objective), kind),
                shown(one["probability"], "share"),
                outside.get("error") or shown(outside.get(objective), kind),
                shown(outside.get("net_profit"), "yuan"),
            )
        )
    heads = ("训练", "检验", "选中的参数", "训练时", "缩水夏普的概率", "检验时", "检验的净利润")
    parts = ["<h2>各段</h2>", table_of(heads, rows, numbers=(3, 4, 5, 6))]
    if walked["figures"]:
        figures = [(name, shown(walked["figures"][key], of)) for key, name, of in SHOWN[:5]]
        balances = [balance for _, balance in walked["days"]]
        parts += ["<h2>各段检验相接</h2>", table_of(("指标", "值"), figures, numbers={1})]
        parts += [curve(balances, "#1565c0")]
    return "".join(parts)


def _inputs(document: Mapping[str, Any]) -> str:
    settings, request = document["settings"], document["request"]
    rows = [
        ("程序版本", settings.get("version", "")),
        ("资金", shown(settings["capital"], "yuan")),
        ("开始、结束", f"{settings['start'] or '最早'} 至 {settings['end'] or '最晚'}"),
        ("样本外", request["out_of_sample"] or "—"),
        ("预热的交易日", str(request["warm_up"])),
        ("种子", str(request["seed"]) if request["trials"] else "—"),
        *((f"参数 {name}", _spaced(values)) for name, values in request["space"].items()),
        *(
            (f"参数 {name}（不搜索）", _written(value))
            for values in settings["parameters"].values()
            for name, value in values.items()
        ),
        *(("条件", text) for text in request["where"]),
        *((f"策略 {name}", digest) for name, digest in settings.get("strategies", {}).items()),
        *((f"数据 {name}", digest) for name, digest in settings.get("data", {}).items()),
        ("费率", settings.get("rates", "")),
    ]
    return table_of(("项", "值"), rows)


def _spaced(values: Any) -> str:
    return values if isinstance(values, str) else "、".join(_written(value) for value in values)


# ── the map ──


def _heat(one: Mapping[str, Any], kind: str) -> str:
    """Red is more, green is less, as prices are coloured in China; what has no value stays empty. Each cell
    says itself when it is pointed at.
    """
    xs, ys, values = one["xs"], one["ys"], one["values"]
    known = [value for row in values for value in row if value is not None]
    low, high = min(known), max(known)
    width = (WIDTH - LEFT) / len(xs)
    height = min(width, (TALLEST - BELOW) / len(ys), 60.0)
    cells = []
    for up, row in enumerate(values):
        top = (len(ys) - 1 - up) * height
        for across, value in enumerate(row):
            if value is not None:
                words = f"{one['x']}={_written(xs[across])} "
                words += f"{one['y']}={_written(ys[up])} " if one["y"] else ""
                text = shown(value, kind)
                cells.append(
                    f'<rect x="{LEFT + across * width:.1f}" y="{top:.1f}" width="{width:.1f}" '
                    f'height="{height:.1f}" fill="{_colour(value, low, high)}">'
                    f"<title>{escape(words + text)}</title></rect>"
                )
                if width >= LEAST_WRITTEN * 2 and height >= LEAST_WRITTEN:
                    at = f'x="{LEFT + (across + 0.5) * width:.1f}" y="{top + height / 2 + 4:.1f}"'
                    cells.append(
                        f'<text {at} font-size="11" fill="#111" text-anchor="middle" pointer-events="none">'
                        f"{escape(text)}</text>"
                    )
    bottom = len(ys) * height
    marks = _marks(xs, ys, width, height, bottom)
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + BELOW:.0f}" role="img">{"".join(cells)}{marks}</svg>'
        f"<p>{escape(shown(low, kind))}（绿）至 {escape(shown(high, kind))}（红）；其余参数取平均</p>"
    )


def _colour(value: float, low: float, high: float) -> str:
    share = (value - low) / (high - low) if high > low else 0.5
    hue, light = (0, 92 - 40 * (share - 0.5) * 2) if share >= 0.5 else (122, 92 - 40 * (0.5 - share) * 2)
    return f"hsl({hue},60%,{light:.0f}%)"


def _marks(xs: Sequence[Any], ys: Sequence[Any], width: float, height: float, bottom: float) -> str:
    """The values along the sides, as many as have room."""
    every = max(1, -(-len(xs) * 40 // WIDTH))
    rows = max(1, -(-len(ys) * 14 // max(int(bottom), 1)))
    along = "".join(
        f'<text x="{LEFT + (at + 0.5) * width:.1f}" y="{bottom + 14:.1f}" font-size="11" fill="#888" '
        f'text-anchor="middle">{escape(_written(mark))}</text>'
        for at, mark in enumerate(xs)
        if at % every == 0
    )
    return along + "".join(
        f'<text x="{LEFT - 6}" y="{(len(ys) - 0.5 - at) * height + 4:.1f}" font-size="11" fill="#888" '
        f'text-anchor="end">{escape(_written(mark))}</text>'
        for at, mark in enumerate(ys)
        if at % rows == 0
    )
