"""/config: the account's eight settings. Web process."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, Response
from pydantic import Field

from app.auth import auth_required
from app.lib import account_config
from app.lib.account_config import MAX_REFRESH, MAX_SLIPPAGE
from app.views import answers
from app.views.asking import ask
from app.views.described import described
from app.views.envelope import succeed
from app.views.parameters import AsSent, Request
from app.wire.messages import ReadConfig, WriteConfig

Interval = AsSent({"type": "number", "exclusiveMinimum": 0, "maximum": MAX_REFRESH})
Slippage = Annotated[
    Any,
    AsSent({"type": "number", "minimum": -MAX_SLIPPAGE, "maximum": MAX_SLIPPAGE}),
    Field(description="滑点，元"),
]
Switch = AsSent({"type": "boolean"})

blueprint = Blueprint("config", __name__)


class ConfigRequest(Request):
    """Any of the eight. What each may be is app/lib/account_config.py's to judge, in the gateway too."""

    REFRESH_INTERVAL: Annotated[Any, Interval] = Field(None, description="查询间隔，秒")
    INSTRUMENT_INDEPEND: Annotated[Any, Switch] = Field(None, description="策略只收自己的合约")
    SLIPPAGE_SHORT: Slippage = None
    SLIPPAGE_BUY: Slippage = None
    SLIPPAGE_COVER: Slippage = None
    SLIPPAGE_SELL: Slippage = None
    CLOSE_PATTERN: Annotated[Any, AsSent({"type": "string", "enum": ["today", "yesterday"]})] = Field(
        None, description="平仓先平今或先平昨"
    )
    SHARED_FUNC: Annotated[Any, Switch] = Field(None, description="推送分时点")


@blueprint.get("/config")
@auth_required
@described("账户的八项设置", data=answers.Settings)
def read_config() -> Response:
    """GET /config: the eight keys. Token."""
    return succeed(ask(ReadConfig()))


@blueprint.put("/config")
@auth_required
@described("修改设置：一个不合法则全不改，立即生效", ConfigRequest)
def write_config(sent: ConfigRequest) -> Response:
    """PUT /config: any of the eight keys, all or nothing; in force at once. Token."""
    ask(WriteConfig(account_config.checked(sent.model_dump(exclude_unset=True))))
    return succeed(msg="修改成功")
