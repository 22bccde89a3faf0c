"""What the reports' pages are made of. Pure; every text in it is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT = 960, 220
STYLE = """
body{font:14px/1.5 system-ui,"PingFang SC","Microsoft YaHei",sans-serif;margin:24px auto;max-width:1000px;
padding:0 16px;color:#222}h1{font-size:20px}h2{font-size:16px;margin-top:28px}
table{border-collapse:collapse;width:100%}td,th{padding:3px 8px;border-bottom:1px solid #ddd;text-align:left}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.warn{background:#fff3cd;color:#8a1f11;
padding:8px 12px;border-radius:4px}.up{color:#c62828}.down{color:#2e7d32}svg{width:100%;height:auto}
.axis{display:flex;justify-content:space-between;color:#888;font-size:12px;margin:0}.scroll{max-height:420px;overflow:auto}.two{columns:2}
@media (prefers-color-scheme:dark){body{background:#111;color:#ddd}td,th{border-color:#333}}
"""


def page_of(title: str, body: str) -> str:
    """Self-contained; nothing in it may load or run anything."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    rules = "default-src 'none'; style-src 'unsafe-inline'"
    policy = f'<meta http-equiv="Content-Security-Policy" content="{rules}">'
    return f'<!doctype html><html lang="zh"><head>{policy}{head}</head><body>{body}</body></html>'


def curve(values: Sequence[float], colour: str, days: Sequence[str] = ()) -> str:
    """The values from left to right, with the highest and the lowest written beside; `days` below."""
    if len(values) < 2:
        return "<p>没有足够的点</p>"
    low, high = min(values), max(values)
    spread = (high - low) or 1.0
    step = WIDTH / (len(values) - 1)
    points = " ".join(
        f"{number * step:.1f},{HEIGHT - 10 - (value - low) / spread * (HEIGHT - 20):.1f}"
        for number, value in enumerate(values)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><polyline fill="none" stroke="{colour}" '
        f'stroke-width="1.5" points="{points}"/>'
        f'<text x="4" y="14" font-size="12" fill="#888">{high:,.2f}</text>'
        f'<text x="4" y="{HEIGHT - 2}" font-size="12" fill="#888">{low:,.2f}</text></svg>{axis(days)}'
    )


def axis(days: Sequence[str]) -> str:
    """Under a chart: these, evenly spread from its left to its right."""
    if not days:
        return ""
    return f'<p class="axis">{"".join(f"<span>{escape(day)}</span>" for day in days)}</p>'


def spread(values: Sequence[Any], count: int = 5) -> list[Any]:
    """So many of them, evenly, the first and the last among them."""
    if len(values) <= count:
        return list(values)
    return [values[round(number * (len(values) - 1) / (count - 1))] for number in range(count)]


def table_of(heads: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Iterable[int] = ()) -> str:
    right = set(numbers)

    def cells(tag: str, row: Sequence[Any]) -> str:
        return "".join(
            f"<{tag}{' class=n' if at in right else ''}>{escape(str(cell))}</{tag}>"
            for at, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', heads)}</tr>{body}</table>" if body else "<p>没有</p>"


def shown(value: float | None, kind: str) -> str:
    if value is None:
        return "—"
    if kind == "share":
        return f"{value:.2%}"
    if kind == "yuan":
        return f"{value:,.2f}"
    if kind == "count":
        return f"{value:,}"
    if kind == "time":
        hours, seconds = divmod(int(value), 3600)
        return f"{hours} 小时 {seconds // 60} 分"
    return f"{value:.3f}"
