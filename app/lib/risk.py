"""The rules of risk: what may be limited, how a rule is written, and what a count says of it. Pure; gateway
and web process.

A rule says what is measured, what is measured together (its scope), the limit, from which share of it to
warn, and what happens at the limit. Counts, clock and trading day are handed in: app/gateway/risk/ has them.
A cancel always passes; a close is stopped by nothing that counts orders or opens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from app.lib.errors import BadInput
from app.lib.risk_counts import ACCOUNT, CONTRACT, EXCHANGE, PRODUCT, SCOPES, STRATEGY
from app.lib.symbols import EXCHANGES, parse_symbol
from app.lib.thresholds import Threshold

WARN, DELAY, REFUSE, CANCEL, REDUCE_ONLY, HALT = ACTIONS = (
    "warn",
    "delay",
    "refuse",
    "cancel",
    "reduce_only",
    "halt",
)
"""What happens at the limit, the harmless first. `cancel`: the resting order in the way first (self_trade
alone).
"""
OFF = "off"

ACTIVE, HALTED = "active", "halted"
STATES = (ACTIVE, REDUCE_ONLY, HALTED)
STATE_TEXT = {ACTIVE: "正常", REDUCE_ONLY: "只可平仓", HALTED: "暂停交易"}
ACTION_TEXT = {
    WARN: "提醒",
    DELAY: "排队",
    REFUSE: "拒绝",
    CANCEL: "先撤挂单",
    REDUCE_ONLY: STATE_TEXT[REDUCE_ONLY],
    HALT: STATE_TEXT[HALTED],
}
STATE_OF = {REDUCE_ONLY: REDUCE_ONLY, HALT: HALTED}

MOST_RULES = 500
LONGEST_WINDOW = 3600.0
HIGHEST = 1e12


class Measure(NamedTuple):
    """What may be limited. `of`: a count of the `day`, a `rate` in some seconds, one `order`, lots `held`,
    `money`.
    """

    of: str
    text: str
    scopes: tuple[str, ...]
    actions: tuple[str, ...]


_DAY = (WARN, REFUSE, REDUCE_ONLY, HALT)
_MARKETS = (ACCOUNT, EXCHANGE, PRODUCT, CONTRACT)
MEASURES: dict[str, Measure] = {
    "orders": Measure("day", "当日报单笔数", SCOPES, _DAY),
    "refusals": Measure("day", "当日被拒笔数", SCOPES, _DAY),
    "cancels": Measure("day", "当日撤单笔数", SCOPES, _DAY),
    "large_cancels": Measure("day", "当日大额撤单笔数", SCOPES, _DAY),
    "self_trades": Measure("day", "当日自成交笔数", _MARKETS, _DAY),
    "opened": Measure("day", "当日开仓手数", SCOPES, _DAY),
    "messages": Measure("day", "当日申报笔数", SCOPES, _DAY),
    "otr": Measure("day", "报单成交比", SCOPES, _DAY),
    "duplicates": Measure("day", "当日重复报单笔数", SCOPES, _DAY),
    "order_rate": Measure("rate", "报单速度", (ACCOUNT, STRATEGY), _DAY),
    "cancel_rate": Measure("rate", "撤单速度", (ACCOUNT, STRATEGY), (WARN, REDUCE_ONLY, HALT)),
    "flow": Measure("rate", "柜台流控", (ACCOUNT,), (WARN, DELAY)),
    "repeat": Measure("rate", "重复报单", (ACCOUNT,), (WARN, REFUSE)),
    "self_trade": Measure("order", "自成交防范", (ACCOUNT,), (REFUSE, CANCEL)),
    "order_lots": Measure("order", "每笔手数", SCOPES, (WARN, REFUSE)),
    "order_value": Measure("order", "每笔合约价值（元）", SCOPES, (WARN, REFUSE)),
    "price_gap": Measure("order", "报价偏离最新价的比例", SCOPES, (WARN, REFUSE)),
    "held": Measure("held", "持仓手数（含开仓挂单）", (CONTRACT, STRATEGY), (WARN, REFUSE)),
    "day_loss": Measure("money", "当日亏损（元）", (ACCOUNT,), _DAY),
    "drawdown": Measure("money", "权益自当日最高回撤的比例", (ACCOUNT,), _DAY),
    "margin_ratio": Measure("money", "保证金占权益的比例", (ACCOUNT,), _DAY),
}
WATCHED = frozenset(
    name
    for name, measure in MEASURES.items()
    if measure.of in ("day", "held") or name in ("order_rate", "cancel_rate")
)
"""Counts that change as orders do."""
_CHANGED_BY = {"otr": ("messages", "filled"), "held": ("opening", "opened", "working", "filled")}
MEASURES_SHOWN = [
    {
        "measure": name,
        "text": about.text,
        "of": about.of,
        "scopes": list(about.scopes),
        "actions": list(about.actions),
    }
    for name, about in MEASURES.items()
]
"""As GET /risk shows them: what a rule may be about."""
DAY_COUNTS = tuple(name for name, measure in MEASURES.items() if measure.of == "day")


@dataclass(frozen=True)
class Rule:
    """`name` "": each of the scope by itself. `exchange` and `products` narrow the exchanges' own."""

    id: str
    measure: str
    limit: float
    scope: str = ACCOUNT
    name: str = ""
    warn: float = 0.0  # the share of the limit from which it warns; 0: not before the limit
    action: str = WARN
    seconds: float = 0.0  # of a rate
    exchange: str = ""
    products: tuple[str, ...] = ()
    counts_fak: bool = False
    source: str = ""  # where the number is from, "" for the trader's own
    date: str = ""  # of that source, YYYY-MM-DD
    entry: int = field(default=0, compare=False)  # which of the trader's own says so, from 1; 0: none

    @property
    def of(self) -> str:
        return MEASURES[self.measure].of

    @property
    def text(self) -> str:
        return MEASURES[self.measure].text

    def fits(self, symbol: str, exchange: str, product: str, strategy: str) -> bool:
        """Whether an order in this contract, by this strategy, is measured by it."""
        if self.exchange and self.exchange != exchange or self.products and product not in self.products:
            return False
        own = {ACCOUNT: "", STRATEGY: strategy, EXCHANGE: exchange, PRODUCT: product, CONTRACT: symbol}[
            self.scope
        ]
        return bool(own) and self.name in ("", own) if self.scope != ACCOUNT else True

    @property
    def changed_by(self) -> tuple[str, ...]:
        """The counts of an order's life (app/lib/risk_counts.py) with which what it measures changes."""
        own = _CHANGED_BY.get(self.measure, (self.measure,))
        return (*own, "fak_cancels") if self.counts_fak else own

    def level(self, value: float) -> int:
        """2 at the limit, 1 from the share that warns, 0 below."""
        if value >= self.limit:
            return 2
        return int(bool(self.warn) and value >= self.warn * self.limit)

    def shown(self) -> dict[str, Any]:
        """As GET /risk shows it."""
        return {
            "id": self.id,
            "measure": self.measure,
            "text": self.text,
            "scope": self.scope,
            "name": self.name,
            "exchange": self.exchange,
            "products": list(self.products),
            "limit": self.limit,
            "warn": self.warn,
            "action": self.action,
            "seconds": self.seconds,
            "source": self.source,
            "date": self.date,
            "entry": self.entry,
        }


REPEAT_SECONDS = 1.0
GUARDS = (
    Rule("self_trade", "self_trade", 1, action=REFUSE),
    Rule("repeat", "repeat", 5, warn=0.4, action=REFUSE, seconds=REPEAT_SECONDS),
)
"""What is refused unless the trader says otherwise. `repeat`: the second equal order within a second is told
of, the fifth is refused: a hand that clicks fast has had its lots until then.
"""


def default_rules(thresholds: Iterable[Threshold], warn: float = 0.8) -> list[Rule]:
    """The guards, and the exchanges' numbers, which warn and stop nothing."""
    return [*GUARDS, *(_of_threshold(row, warn) for row in thresholds if row.limit and row.measure != "flow")]


def _of_threshold(row: Threshold, warn: float) -> Rule:
    return Rule(
        id=row.id,
        measure=row.measure,
        limit=row.limit,
        scope=row.per,
        warn=warn,
        exchange=row.exchange,
        products=row.products,
        counts_fak=row.counts_fak,
        source=row.source,
        date=row.date.isoformat(),
    )


# ── what a trader sends ──

_KEYS = {"id", "measure", "scope", "name", "limit", "warn", "action", "seconds"}


def checked_rules(entries: Any, defaults: Iterable[Rule]) -> list[dict[str, Any]]:
    """The trader's own rules as they are kept: each whole, or what it changes of a default one, which its id
    names. Raises BadInput naming the entry, and as `number` and `field` what of it is wrong; nothing is taken
    then.
    """
    if not isinstance(entries, list) or len(entries) > MOST_RULES:
        raise BadInput("rules", f"rules 应为至多 {MOST_RULES} 条的列表")
    kept = [_known_keys(number, entry) for number, entry in enumerate(entries, 1)]
    contradicting(merged(kept, defaults))
    return kept


def merged(entries: Iterable[Mapping[str, Any]], defaults: Iterable[Rule]) -> list[Rule]:
    """All rules in force. Raises BadInput."""
    rules = {rule.id: rule for rule in defaults}
    own: set[str] = set()
    for number, entry in enumerate(entries, 1):
        rule = _rule(number, entry, rules)
        if rule is not None and rule.id in own:
            raise _bad(number, f"id {rule.id} 写了两次", "id")
        if rule is None:
            rules.pop(str(entry.get("id")), None)
        else:
            own.add(rule.id)
            rules[rule.id] = rule
    return list(rules.values())


def contradicting(rules: Iterable[Rule]) -> None:
    """Raises BadInput for two rules of the same thing with the same action, or of which the stricter one
    comes later: a refusal at 10 never lets a halt at 20 come.
    """
    by_thing: dict[tuple[Any, ...], list[Rule]] = {}
    for rule in rules:
        thing = rule.measure, rule.scope, rule.name, rule.seconds, rule.exchange, rule.products
        by_thing.setdefault(thing, []).append(rule)
    for same in by_thing.values():
        same.sort(key=lambda rule: (ACTIONS.index(rule.action), rule.limit))
        for milder, stricter in zip(same, same[1:], strict=False):
            if milder.action == stricter.action:
                same_thing = f"规则 {milder.id} 与 {stricter.id} 是同一回事，只能留一条"
                raise BadInput("rules", same_thing, field="action")
            if milder.action == REFUSE and milder.limit <= stricter.limit:
                raise BadInput(
                    "rules",
                    f"规则 {stricter.id}（{ACTION_TEXT[stricter.action]}，{stricter.limit:g}）永远到不了："
                    f"{milder.id} 在 {milder.limit:g} 已经拒绝",
                    field="limit",
                )


def _known_keys(number: int, entry: Any) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise _bad(number, "应为对象")
    unknown = sorted(entry.keys() - _KEYS)
    if unknown:
        raise _bad(number, f"不认识的 {unknown[0]}：可用 {'、'.join(sorted(_KEYS))}")
    return dict(entry)


def _rule(number: int, entry: Mapping[str, Any], known: Mapping[str, Rule]) -> Rule | None:
    """None where it takes a default one away."""
    base = known.get(str(entry.get("id", "")))
    if base is not None and entry.get("action") == OFF:
        return None
    measure = entry.get("measure", base.measure if base else "")
    if measure not in MEASURES:
        raise _bad(number, "不认识的 measure：可用的见 docs/api.md“风控”", "measure")
    if base is not None and measure != base.measure:
        raise _bad(number, f"id {base.id} 是已有的规则，数的是 {base.measure}", "measure")
    about = MEASURES[measure]
    scope = entry.get("scope", base.scope if base else about.scopes[0])
    if scope not in about.scopes or base is not None and scope != base.scope:
        raise _bad(number, f"scope 应为 {base.scope if base else '、'.join(about.scopes)}", "scope")
    action = entry.get("action", base.action if base else WARN)
    if action not in about.actions:
        raise _bad(number, f"{measure} 的 action 应为 {'、'.join(about.actions)} 之一", "action")
    limit = _number(number, "limit", entry.get("limit", base.limit if base else None), 0, HIGHEST)
    if not limit and about.of in ("rate", "money"):
        raise _bad(number, f"{measure} 的 limit 应大于 0", "limit")
    warn = _number(number, "warn", entry.get("warn", base.warn if base else 0), 0, 1)
    seconds = _number(number, "seconds", entry.get("seconds", base.seconds if base else 0), 0, LONGEST_WINDOW)
    if (about.of == "rate") != bool(seconds):
        why = "seconds 应大于 0" if about.of == "rate" else f"{measure} 没有 seconds"
        raise _bad(number, why, "seconds")
    name = _name(number, scope, entry.get("name", base.name if base else ""))
    identity = entry.get("id") or ".".join(
        filter(None, (measure, scope, name, f"{seconds:g}" * bool(seconds), action))
    )
    if not isinstance(identity, str) or len(identity) > 100 or not identity.isprintable():
        raise _bad(number, "id 应为至多 100 个可见字符", "id")
    changed: dict[str, Any] = {
        "limit": limit,
        "warn": warn,
        "action": action,
        "seconds": seconds,
        "name": name,
        "entry": number,
    }
    return replace(base, **changed) if base is not None else Rule(identity, measure, scope=scope, **changed)


def _name(number: int, scope: str, name: Any) -> str:
    if not isinstance(name, str) or len(name) > 100:
        raise _bad(number, "name 应为文字", "name")
    if not name or scope == ACCOUNT:
        return ""
    if scope == EXCHANGE and name not in EXCHANGES:
        raise _bad(number, f"不认识的交易所 {name}，应为 {' '.join(EXCHANGES)} 之一", "name")
    if scope != CONTRACT:
        return name
    try:
        return parse_symbol(name, "rules").symbol
    except BadInput as error:
        raise _bad(number, error.message, "name", error.code) from None


def _number(number: int, key: str, value: Any, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _bad(number, f"{key} 应为数字", key)
    if not least <= value <= most:
        raise _bad(number, f"{key} 应在 {least:g} 与 {most:g} 之间", key)
    return value


def _bad(number: int, why: str, of: str = "", code: str = "") -> BadInput:
    return BadInput("rules", f"第 {number} 条规则：{why}", code=code, number=number, field=of)
