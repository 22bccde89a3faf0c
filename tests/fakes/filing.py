"""A server as the filing checks meet it: a counter, a gate and logs in one object, in memory and at once,
with the faults that each check must not be fooled by. By hand; app/filing/station.py is the real one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from app.filing.camera import Pass
from app.filing.outcome import NotReached
from app.filing.station import Ticket
from app.lib.audit import COLUMN_TEXT, csv_row
from app.lib.calendar import SHANGHAI

RB, IF = "rb2701.SHFE", "IF2612.CFFEX"
NIGHT = int(datetime(2026, 11, 29, 21, 5, tzinfo=SHANGHAI).timestamp() * 1000)  # ms, of TICK below
TICK: dict[str, Any] = {
    "ask_price_1": 3100.0,
    "bid_price_1": 3099.0,
    "ask_volume_1": 20,
    "bid_volume_1": 20,
    "datetime": "2026-11-29 21:05:00.000",
}
CONTRACTS: dict[str, dict[str, Any]] = {
    RB: {
        "local_symbol": RB,
        "symbol": "rb2701",
        "pricetick": 1.0,
        "limit_down": 2900.0,
        "limit_up": 3300.0,
        "max_limit_order_volume": 500,
        "session_times": [[NIGHT - 300_000, NIGHT + 3_600_000]],
        "product_name": "螺纹钢",
        "expire_date": "2027-01-15",
    },
    "rb2612.SHFE": {
        "local_symbol": "rb2612.SHFE",
        "symbol": "rb2612",
        "expire_date": "2026-12-15",
        "product_name": "螺纹钢",
    },
    IF: {
        "local_symbol": IF,
        "symbol": "IF2612",
        "pricetick": 0.2,
        "limit_down": 3800.0,
        "limit_up": 4600.0,
        "max_limit_order_volume": 20,
        "session_times": [[NIGHT + 40_000_000, NIGHT + 50_000_000]],
        "product_name": "沪深300股指",
        "expire_date": "2026-12-18",
    },
}
ZERO = {"orders": 0, "cancels": 0, "duplicates": 0}


class FakeStation:
    """`faults` are names, each asked for where it says what goes wrong."""

    def __init__(self, *faults: str, interface: str = "sim") -> None:
        self.faults = set(faults)
        real = {"appid": "client_x_1", "auth_code": "code-7731", "td": "tcp://td:1", "md": "tcp://md:1"}
        self.ticket = Ticket(
            interface, "9999", "u1", "secret-9", what="替身", **(real if interface != "sim" else {})
        )
        self.entries: list[dict[str, Any]] = []
        self._written = 0
        self.orders: dict[str, dict[str, Any]] = {}
        self.fronts = {"td": "", "md": ""}
        self.states = {"": "active"}
        self.rules: list[dict[str, Any]] = []
        self.counts = {"": dict(ZERO), RB: dict(ZERO)}
        self.recent: list[dict[str, Any]] = []
        self.line = "tcp://127.0.0.1:9 → tcp://td:1"
        self._through = False
        self.cuts: list[dict[str, Any]] = []
        self._seen: list[tuple[Any, ...]] = []
        self._on_their_way: list[dict[str, Any]] = []  # closes, which are filled after the next look
        self._number = count(1)
        self._runs = False

    def has(self, fault: str) -> bool:
        return fault in self.faults

    # ── as a Station ──

    def log_in(self, through_line: bool = False) -> dict[str, Any]:
        if self.has("login is refused"):
            return {"success": False, "msg": "CTP:不合法的登录"}
        self._through = through_line
        if self.ticket.interface != "sim" and not self.has("no appid in the log"):
            self.log(
                "run",
                f"登录：交易前置 {self.ticket.td}，行情前置 {self.ticket.md}，AppID {self.ticket.appid}",
            )
        elif self.ticket.interface == "sim":
            self.log("run", "登录：内置柜台")
        for side, name in (("td", "交易前置"), ("md", "行情前置")):
            self.fronts[side] = "ready"
            self.log("run", f"{name}：就绪")
        return {"success": True, "data": "token-abcdef"}

    def log_out(self) -> None:
        self.fronts = {"td": "", "md": ""}

    def front(self, side: str) -> str:
        return self.fronts[side]

    def shown(self) -> Pass:
        return Pass("http://127.0.0.1:1", self.ticket.account, "token-abcdef")

    def audit(self, after: int = 0) -> list[dict[str, Any]]:
        return [entry for entry in self.entries[: self._looked()] if entry["seq"] > after]

    def audit_end(self) -> int:
        return self._looked()

    def _looked(self) -> int:
        """How many are written. As with the real one a moment late: what was said since the last look is
        there at the next.
        """
        written, self._written = self._written, len(self.entries)
        return written

    def cut(self) -> int:
        if not self._through or self.has("nothing leads through the line"):
            return 0
        if not self.has("the cut is not noticed"):
            self.fronts["td"] = "lost"
            begin = "2026-11-29 21:05:00.000"
            self.cuts.insert(
                0, {"what": "td", "text": "交易前置", "begin": begin, "end": None, "reason": "断"}
            )
            if not self.has("the cut is not logged"):
                self.log("run", "交易前置：已断开（与前置的连接已断开）")
            if self.has("ready while it is cut"):
                self.log("run", "交易前置：就绪")
        return 2

    def mend(self) -> None:
        if not self.has("it does not come back"):
            self.fronts["td"] = "ready"
            if self.cuts and not self.has("the history has no end of it"):
                self.cuts[0] |= {"end": "2026-11-29 21:05:01.000"}
            if not self.has("the reconnect is not logged"):
                self.log("run", "交易前置：就绪")

    def command(self, *arguments: str) -> tuple[int, str]:
        if arguments[:2] == ("audit", "verify"):
            return (1, "审计日志不完整") if self.has("the log was changed") else (0, "审计日志完整")
        if arguments[:2] == ("audit", "export"):
            return self._export(arguments[arguments.index("--kind") + 1], Path(arguments[-1]))
        assert arguments[:2] == ("halt", "logout")
        if not self.has("forced logout does nothing"):
            self.log_out()
        return 0, "已强制退出"

    def _export(self, kind: str, to: Path) -> tuple[int, str]:
        found = [entry for entry in self.entries if entry["kind"] == kind]
        if self.has(f"no {kind} log"):
            found = []
        if self.has("the export lacks the counter's refusals"):
            found = [entry for entry in found if "CTP" not in entry["text"]]
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMN_TEXT)
        writer.writerows(csv_row(entry) for entry in found)
        to.write_text("\ufeff" + text.getvalue(), "utf-8")
        return 0, ""

    def do(self, method: str, path: str, **fields: Any) -> Any:
        answer = self.ask(method, path, **fields)
        if not answer["success"]:
            raise NotReached(f"{method} {path} 没有成功：{answer['msg']}")
        return answer["data"]

    def ask(self, method: str, path: str, **fields: Any) -> dict[str, Any]:
        if self.has("the server is gone"):
            raise NotReached(f"服务器没有应答 {method} {path}")
        name = f"{method.lower()}_{path.strip('/').replace('/', '_')}"
        answer = getattr(self, f"_{name}")(**fields)
        return (
            answer if isinstance(answer, dict) and "success" in answer else {"success": True, "data": answer}
        )

    # ── the routes ──

    def _post_market(self, symbol: str) -> str:
        return symbol

    def _get_contract(self, symbol: str = "", product: str = "") -> dict[str, Any]:
        if symbol:
            return CONTRACTS[symbol]
        rows = [
            dict(row) for row in CONTRACTS.values() if not product or str(row["symbol"]).startswith(product)
        ]
        return {"contracts": rows}

    def _get_tick(self, symbol: str) -> dict[str, Any]:
        return TICK

    def _get_order_preview(
        self, local_symbol: str, price: float, volume: int = 1, **_order: Any
    ) -> dict[str, Any]:
        cost = 10.0 if self.has("money enough") else price * volume
        return {
            "problem": None,
            "margin": cost,
            "available": 1_000_000.0,
            "largest": {"long": {"open": 300}},
            "order_limit": 500,
        }

    def _get_order_solve(self) -> dict[str, Any]:
        for order in self.orders.values():  # the strategy goes on while somebody looks
            if order["strategy"] and self._runs and len(self.orders) < 40:
                self._strategy_orders()
                break
        seen = [dict(order) for order in self.orders.values()]
        for order in self._on_their_way:
            order |= {"traded": order["volume"], "status": "全部成交"}
            self._tell(order)
        self._on_their_way.clear()
        return {"order_list": seen}

    def _post_order_solve(
        self, local_symbol: str, direction: str, offset: str, price: float, volume: int, **_type: Any
    ) -> dict[str, Any]:
        wrong = self._refused_by_us(local_symbol, direction, price, volume)
        if wrong and not self.has("our check lets it pass"):
            if not self.has("our refusal is not logged"):
                self.log("error", f"报单未发出：{local_symbol}：{wrong}")
            return {"success": False, "msg": wrong, "refused_by": "us"}
        if self.states[""] == "halted" and not self.has("halted and yet sent"):
            self.log("error", "风控：账户暂停交易，报单未发出")
            return {
                "success": False,
                "msg": "账户暂停交易，报单未发出",
                "error": "RISK_HALTED",
                "refused_by": "us",
            }
        code, text = self._refused_by_counter(local_symbol, direction, offset, price, volume)
        if code and not self.has("the counter takes everything"):
            by = (
                "us"
                if self.has("we refuse in the counter's place")
                else "counter"
                if code[0] == "C"
                else "exchange"
            )
            if not self.has("the counter's refusal is not logged"):
                number = code.removeprefix("CTP_")
                self.log(
                    "error",
                    f"报单被拒，ErrorID {number}：{text}" if number.isdigit() else f"报单被拒：{text}",
                )
            return {"success": False, "msg": text, "error": code, "refused_by": by, "order_id": ""}
        return {
            "success": True,
            "data": "",
            "order_id": self._accept(local_symbol, direction, offset, price, volume),
        }

    def _delete_order_solve(self, order_id: str) -> dict[str, Any]:
        return {"success": True, "data": "", "msg": ""} | self._cancel(order_id)

    def _get_risk(self) -> dict[str, Any]:
        by_contract = [{"local_symbol": RB} | self.counts[RB]]
        return {
            "account": self.counts[""],
            "contracts": by_contract,
            "rules": self.rules,
            "recent": self.recent,
        }

    def _get_risk_connections(self) -> dict[str, Any]:
        return {"connections": [dict(cut) for cut in self.cuts]}

    def _put_risk(self, rules: list[dict[str, Any]]) -> str:
        self.rules = [] if self.has("thresholds are not taken") else [{"limit": 5} | rule for rule in rules]
        return ""

    def _post_risk_state(self, state: str, strategy: str = "", why: str = "") -> dict[str, Any]:
        self.states[strategy] = state
        if not self.has("no log of the state"):
            self.log("watch", f"风控：{f'策略 {strategy}' if strategy else '账户'}：{state}，{why}")
        return {}

    def _post_risk_cancel(
        self, filled: str = "", order_ids: str = "", strategy: str = "", **_more: Any
    ) -> Any:
        chosen = [order for order in self.orders.values() if order["status"] in ("未成交", "部分成交")]
        if filled and not self.has("the selection is not looked at"):
            chosen = [order for order in chosen if bool(order["traded"]) == (filled == "part")]
        if order_ids:
            chosen = [order for order in chosen if order["order_id"] in order_ids.split(",")]
        if strategy:
            chosen = [order for order in chosen if order["strategy"] == strategy]
        ids = [str(order["order_id"]) for order in chosen]
        for order_id in ids:
            self._cancel(order_id)
        return {"orders": [{"order_id": order_id, "state": "cancelled"} for order_id in ids]}

    def _post_code(self, text: str) -> str:
        compile(text, "filing.py", "exec")
        return ""

    def _put_strategy(self, name: str, operation: str) -> str:
        self._runs = operation == "开启" and not self.has("the strategy sends nothing")
        if self._runs:
            self._accept(RB, "long", "open", 2901.0, 1, strategy=name)
        return ""

    # ── what stands behind them ──

    def log(self, kind: str, text: str, **data: Any) -> None:
        entry = {"seq": len(self.entries) + 1, "time": "2026-11-29 21:05:00.000", "kind": kind}
        self.entries.append(entry | {"text": text, "data": data})

    def _refused_by_us(self, symbol: str, direction: str, price: float, volume: int) -> str:
        if symbol not in CONTRACTS:
            return "不认识的合约"
        if price % CONTRACTS[symbol]["pricetick"] > 1e-9 and symbol == RB:
            return "价格不是最小变动价位的整数倍"
        if direction == "long" and any(price >= order["price"] for order in self._on_their_way):
            return "会与自己的挂单成交（自成交），报单未发出"
        return "手数超过每笔上限" if volume > CONTRACTS[symbol]["max_limit_order_volume"] else ""

    def _refused_by_counter(
        self, symbol: str, direction: str, offset: str, price: float, volume: int
    ) -> tuple[str, str]:
        if symbol == IF:
            return "EXCHANGE_REJECT", "已撤单报单被拒绝CFFEX:当前状态禁止此项操作"
        if offset == "open" and volume == 500:
            return ("CTP_116", "CTP:流控") if self.has("another refusal") else ("CTP_31", "CTP:资金不足")
        if offset != "open" and price == CONTRACTS[RB]["limit_up"]:
            return "CTP_50", "CTP:平今仓位不足"
        return "", ""

    def _accept(
        self, symbol: str, direction: str, offset: str, price: float, volume: int, strategy: str = ""
    ) -> str:
        order_id = f"1_1_{next(self._number)}"
        row = {
            "order_id": order_id,
            "local_symbol": symbol,
            "direction": "多" if direction == "long" else "空",
            "offset": "开" if offset == "open" else "平今",
            "price": price,
            "volume": volume,
            "traded": 0,
            "status": "未成交",
            "strategy": strategy,
        }
        if not self.has("nothing is filled"):
            if direction == "short":
                self._on_their_way.append(row)
            elif price > TICK["ask_price_1"]:
                row |= {"traded": volume, "status": "全部成交"}
            elif price == TICK["ask_price_1"]:
                filled_whole = self.has("filled at once")
                row |= (
                    {"traded": volume, "status": "全部成交"}
                    if filled_whole
                    else {"traded": 20, "status": "部分成交"}
                )
        self.orders[order_id] = row
        self._tell(row)
        self._count(symbol, "orders")
        equal = (symbol, direction, offset, price, volume)
        if equal in self._seen and not self.has("duplicates are not found"):
            self._count(symbol, "duplicates")
            self.log("watch", "风控：第 2 张相同的报单（重复报单）")
        self._seen.append(equal)
        return order_id

    def _cancel(self, order_id: str) -> dict[str, Any]:
        order = self.orders[order_id]
        if order["status"] in ("未成交", "部分成交") and not self.has("cancels fail"):
            order["status"] = "已撤销"
            self.log("trade", f"撤单已发出：{order_id}")
            self._tell(order)
            self._count(order["local_symbol"], "cancels")
        return {}

    def _tell(self, row: dict[str, Any]) -> None:
        gone = {"price"} if self.has("the trade log lacks the price") else set()
        self.log("trade", "委托", **{name: value for name, value in row.items() if name not in gone})

    def _count(self, symbol: str, name: str) -> None:
        for whose in {"", symbol} & self.counts.keys():
            if not (whose and self.has("contracts are not counted")):
                self.counts[whose][name] += 1
        for rule in self.rules:
            if rule.get("measure") == name and self.counts[""][name] == rule["limit"]:
                if self.has("no warning at the threshold"):
                    continue
                self.recent.append({"what": "limit", "rule": rule["id"]})
                text = {"orders": "报单", "cancels": "撤单", "duplicates": "重复报单"}[name]
                self.log("watch", f"风控：账户 当日{text}笔数 {rule['limit']}：已到")

    def _strategy_orders(self) -> None:
        if self.states.get("filing") == "halted" and not self.has("the strategy is not stopped"):
            self.log("error", "风控：rb2701 买 1 手：策略 filing暂停交易，报单未发出", owner="filing")
        if self.states.get("filing") != "halted" or self.has("the strategy sends all the same"):
            self._accept(RB, "long", "open", 2901.0 + len(self.orders), 1, strategy="filing")


class FakeCamera:
    """Takes pictures of nothing; `blind_to` are texts that cannot be seen on the page."""

    def __init__(self, blind_to: Iterable[str] = ()) -> None:
        self.blind_to = set(blind_to)
        self.taken: list[str] = []

    def take(
        self, path: Path, caption: str, screen: str, tab: str, search: str, texts: Iterable[str]
    ) -> list[str]:
        path.write_bytes(b"\x89PNG\r\n\x1a\nfake")
        self.taken.append(caption)
        return [text for text in texts if text in self.blind_to]
