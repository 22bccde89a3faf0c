"""The settlement statement (结算单) of an account for a trading day, as brokers lay theirs out. Pure; counter
process.

It is text for people: brokers' texts differ in detail, a reader must not depend on columns. `statement_rows`
cuts it as CTP hands it over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple
from unicodedata import east_asian_width

from app.lib.book import Lot, Money
from app.lib.prices import exact
from app.wire.frames import InstrumentField, SettlementInfoField, TradeField

WIDTH = 100
PIECE = 500  # bytes of CThostFtdcSettlementInfoField's Content, but for its last 0
OFFSETS = {"0": "开", "1": "平", "3": "平今", "4": "平昨"}


class Settled(NamedTuple):
    """What a statement is made of: money before and after, what was traded, what is held."""

    broker: str
    user: str
    trading_day: str
    before: Money  # of the day, before settlement
    after: Money  # of the settled book: what the next day begins with
    trades: Sequence[TradeField]
    lots: Sequence[Lot]  # with the settlement as base price
    contracts: Mapping[str, InstrumentField]


def statement_of(settled: Settled) -> str:
    """Lines end in CR LF, as brokers' do."""
    lines = [
        *_head(settled),
        *_money(settled.before, settled.after),
        *_trades(settled),
        *_positions(settled),
    ]
    return "".join(line.rstrip() + "\r\n" for line in lines)


def _pieces(text: str) -> list[bytes]:
    """The text in GBK, cut every 500 bytes, be it within a character."""
    data = text.encode("gb18030")
    return [data[start : start + PIECE] for start in range(0, len(data), PIECE)]


def statement_rows(broker: str, user: str, trading_day: str, text: str) -> list[SettlementInfoField]:
    """As CTP's query hands a statement over; none for an empty text."""
    return [
        SettlementInfoField(
            TradingDay=trading_day, BrokerID=broker, InvestorID=user, SequenceNo=number, Content=content
        )
        for number, content in enumerate(_pieces(text), 1)
    ]


def _head(settled: Settled) -> list[str]:
    return [
        _title("内置柜台"),
        _title("交易结算单(盯市) Settlement Statement(MTM)"),
        f"客户号 Client ID：  {settled.user:<20}期货公司 Broker：  {settled.broker}",
        f"日期 Date：{settled.trading_day}",
        "",
    ]


def _money(before: Money, after: Money) -> list[str]:
    profit = (
        after.pre_balance
        - before.pre_balance
        - before.deposit
        + before.withdraw
        - before.close_profit
        + before.commission
    )
    risk = after.margin / after.balance * 100 if after.balance > 0 else Decimal(0)
    rows = [
        (
            "期初结存 Balance b/f",
            before.pre_balance,
            "出入金 Deposit/Withdrawal",
            before.deposit - before.withdraw,
        ),
        ("平仓盈亏 Realized P/L", before.close_profit, "持仓盯市盈亏 MTM P/L", profit),
        ("手续费 Commission", before.commission, "期末结存 Balance c/f", after.pre_balance),
        ("客户权益 Client Equity", after.balance, "保证金占用 Margin Occupied", after.margin),
        ("可用资金 Fund Avail.", after.available, "追加资金 Margin Call", max(Decimal(0), -after.available)),
    ]
    lines = [
        _padded(f"{a}：", 30) + f"{b:>18.2f}    " + _padded(f"{c}：", 30) + f"{d:>18.2f}"
        for a, b, c, d in rows
    ]
    return [
        _title("资金状况  币种：人民币  Account Summary  Currency：CNY"),
        *lines,
        f"风险度 Risk Degree：{risk:.2f}%",
        "",
    ]


def _trades(settled: Settled) -> list[str]:
    heads = ("成交日期", "交易所", "合约", "买/卖", "投/保", "成交价", "手数", "成交额", "开平", "成交序号")
    rows = [
        (
            trade.TradeDate,
            trade.ExchangeID,
            trade.InstrumentID,
            "买" if trade.Direction == "0" else "卖",
            "投",
            f"{trade.Price:.3f}",
            str(trade.Volume),
            f"{exact(trade.Price) * trade.Volume * settled.contracts[trade.InstrumentID].VolumeMultiple:.2f}",
            OFFSETS.get(trade.OffsetFlag, "强平"),
            trade.TradeID.strip(),
        )
        for trade in settled.trades
    ]
    return _table("成交记录 Transaction Record", heads, rows, (10, 8, 10, 6, 6, 12, 6, 18, 6, 14))


def _positions(settled: Settled) -> list[str]:
    heads = (
        "交易所",
        "合约",
        "开仓日期",
        "投/保",
        "买/卖",
        "持仓量",
        "开仓价",
        "结算价",
        "浮动盈亏",
        "成交序号",
    )
    rows = []
    for lot in settled.lots:
        contract = settled.contracts[lot.symbol]
        gain = (exact(lot.base_price) - exact(lot.open_price)) * lot.volume * contract.VolumeMultiple
        row = (
            contract.ExchangeID,
            lot.symbol,
            lot.open_date,
            "投",
            "买" if lot.direction == "long" else "卖",
            str(lot.volume),
            f"{lot.open_price:.3f}",
            f"{lot.base_price:.3f}",
            f"{gain if lot.direction == 'long' else -gain:.2f}",
            lot.trade_id.strip(),
        )
        rows.append(row)
    return _table("持仓明细 Positions Detail", heads, rows, (8, 10, 10, 6, 6, 8, 12, 12, 14, 14))


def _title(text: str) -> str:
    return text.center(WIDTH - sum(_is_wide(character) for character in text))


def _table(
    title: str, heads: Iterable[str], rows: Sequence[Iterable[str]], widths: Sequence[int]
) -> list[str]:
    if not rows:
        return []
    rule = "-" * (sum(widths) + len(widths) + 1)
    lines = [
        "|" + "|".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)) + "|"
        for row in (heads, *rows)
    ]
    return [_title(title), rule, lines[0], rule, *lines[1:], rule, f"共 {len(rows)} 条", ""]


def _padded(text: str, width: int) -> str:
    """To a width in columns: a Chinese character takes two."""
    return text + " " * (width - len(text) - sum(_is_wide(character) for character in text))


def _is_wide(character: str) -> bool:
    return east_asian_width(character) in ("W", "F")
