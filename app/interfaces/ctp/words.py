"""What only the vendor's fronts are asked and answer, beside the frames of app/wire/frames.py, in CTP's
names. Gateway process.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Said(msgspec.Struct, kw_only=True):
    """Base of what a front answers; ErrorID 0: it went well."""

    ErrorID: int = 0
    ErrorMsg: str = ""


# ── asked ──


class ReqAuthenticate(msgspec.Struct, kw_only=True):
    AppID: str
    AuthCode: str


class ReqSettlementInfoConfirm(msgspec.Struct):
    """Accept the statement of the day before: without it every order is refused with 42."""


class ReqUserPasswordUpdate(msgspec.Struct, kw_only=True):
    OldPassword: str
    NewPassword: str


class ReqQuery(msgspec.Struct, kw_only=True):
    """`what` as in frames.ReqQry, and exchange_margin_rate; `asked` are the fields of the query."""

    what: str
    RequestID: int
    asked: dict[str, Any]


# ── answered ──


class RspAuthenticate(Said, kw_only=True): ...


class RspSettlementInfoConfirm(Said, kw_only=True): ...


class RspUserPasswordUpdate(Said, kw_only=True): ...


class RspError(Said, kw_only=True):
    """A request that the front could not even hand on."""

    RequestID: int


class MarginRateField(msgspec.Struct, kw_only=True):
    """Rates of margin of a contract, for speculation, as this account has them, or the exchange's."""

    InstrumentID: str
    LongMarginRatioByMoney: float
    LongMarginRatioByVolume: float
    ShortMarginRatioByMoney: float
    ShortMarginRatioByVolume: float
    IsRelative: int = 0  # 1: charged on top of the exchange's


class CommissionRateField(msgspec.Struct, kw_only=True):
    """Rates of commission; `InstrumentID` may be the product's."""

    InstrumentID: str
    OpenRatioByMoney: float
    OpenRatioByVolume: float
    CloseRatioByMoney: float
    CloseRatioByVolume: float
    CloseTodayRatioByMoney: float
    CloseTodayRatioByVolume: float


class SettlementPart(msgspec.Struct, kw_only=True):
    """A piece of a statement: GBK, cut anywhere, also within a character."""

    TradingDay: str
    Content: bytes


AnyWord = ReqAuthenticate | ReqSettlementInfoConfirm | ReqUserPasswordUpdate | ReqQuery
