"""/openapi.json: what this server understands, for people and programs. Web process.

One table, `OPERATIONS`; limits and words are those of the parsers, by the same names. The description has no
secrets and no names of accounts, so it is open, and it is the one answer without the envelope: tools read it
as it stands.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
from flask import Blueprint, Response

from app.auth import LONGEST_CODE, SHORTEST_CODE
from app.lib import fronts
from app.lib.account_config import MAX_REFRESH, MAX_SLIPPAGE
from app.lib.bars import CUTS, INTERVALS
from app.lib.strategy_lib import LONGEST_NAME, MAX_BYTES, SAFE_NAME
from app.lib.symbols import DIRECTION_TEXT, EXCHANGES, OFFSET_TEXT, SYMBOL_PATTERN, TYPE_TEXT
from app.views.bars import LATEST, MOST_BARS
from app.views.code import MOST_VERSIONS
from app.views.envelope import ours
from app.views.events import MOST_EVENTS
from app.views.login import INTERFACES, REAL_INTERFACES
from app.views.market import MOST_SYMBOLS
from app.views.orders import HIGHEST_PRICE, MOST_LOTS
from app.views.strategy import LIMITS, MOST_LINES
from app.views.strategy import OPERATIONS as STRATEGY_OPERATIONS

Schema = dict[str, Any]

blueprint = Blueprint("openapi", __name__)


class Parameter(NamedTuple):
    """One parameter, wherever it stands: query string, form field or member of a JSON body."""

    name: str
    schema: Schema
    what: str
    required: bool = False


class Operation(NamedTuple):
    """One method of one route."""

    method: str
    path: str
    summary: str
    parameters: tuple[Parameter, ...] = ()
    open: bool = False
    """Without a token."""


def text(longest: int = 64, least: int = 0) -> Schema:
    return {"type": "string", "maxLength": longest} | ({"minLength": least} if least else {})


def whole(least: int, most: int, default: int | None = None) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most} | (
        {} if default is None else {"default": default}
    )


def number(least: float, most: float) -> Schema:
    return {"type": "number", "minimum": least, "maximum": most}


def words(*choices: str) -> Schema:
    return {"type": "string", "enum": list(choices)}


def both(texts: dict[str, str]) -> Schema:
    """English and Chinese words for the same."""
    return words(*dict.fromkeys([*texts, *texts.values()]))


_CONTRACT = rf"{SYMBOL_PATTERN}(?:\.(?:{'|'.join(EXCHANGES)}))?"
SYMBOL = {"type": "string", "pattern": f"^{_CONTRACT}$", "examples": ["rb2510.SHFE"]}
SEVERAL = {"type": "string", "pattern": f"^{_CONTRACT}(?:,{_CONTRACT})*$", "maxLength": MOST_SYMBOLS * 40}
CODE = text(LONGEST_CODE, 1)
FLAG = {"type": "boolean"}
FRONT = {"type": "string", "maxLength": fronts.LONGEST, "pattern": f"^{fronts.PATTERN}(,{fronts.PATTERN})*$"}

EXCHANGE = Parameter("exchange", words(*EXCHANGES), "合约名称未带交易所时给出；都给出时须一致")
LOCAL_SYMBOL = Parameter("local_symbol", SYMBOL, "合约，rb2510.SHFE 或 rb2510", True)
SYMBOLS = Parameter("symbol", SEVERAL, "合约，多个用逗号", True)
DIRECTION = Parameter("direction", both(DIRECTION_TEXT), "方向；平仓时为持仓方向", True)
VOLUME = Parameter("volume", whole(1, MOST_LOTS), "手数", True)
NEW_CODE = (
    Parameter("password", text(128, 1), "账户密码，仅校验", True),
    Parameter("authorization", text(LONGEST_CODE, SHORTEST_CODE), "新授权码", True),
)
STRATEGY_NAME = text(LONGEST_NAME) | {"pattern": f"^{SAFE_NAME.pattern}$"}
STRATEGY = Parameter("name", STRATEGY_NAME, "策略名", True)
SOURCE = Parameter("text", text(MAX_BYTES, 1), "策略代码", True)
SLIPPAGE = number(-MAX_SLIPPAGE, MAX_SLIPPAGE)

OPERATIONS = (
    Operation(
        "POST",
        "/login",
        "登录，得到令牌",
        (
            Parameter("authorization", CODE, "本服务的授权码", True),
            Parameter("userid", text(32, 1), "账号", True),
            Parameter("password", text(128, 1), "密码", True),
            Parameter("brokerid", text(32), "期货公司代码；模拟账户可不给"),
            Parameter("interface", words(*INTERFACES), "接口；不给则用服务器的设置"),
            Parameter("auth_code", text(), "终端认证码"),
            Parameter("appid", text(), "终端标识"),
            Parameter(
                "front", text(longest=64), "期货公司前置的名字（服务器的设置 fronts），给了就不看下面两项"
            ),
            Parameter("td_address", FRONT, "交易前置，几个之间用逗号；实盘未给 front 时必填"),
            Parameter("md_address", FRONT, "行情前置，同上"),
        ),
        open=True,
    ),
    Operation(
        "POST",
        "/password",
        "修改账户在柜台的密码（首次登录被要求修改时也用它），得到令牌",
        (
            Parameter("authorization", CODE, "本服务的授权码", True),
            Parameter("userid", text(32, 1), "账号", True),
            Parameter("password", text(128, 1), "原密码", True),
            Parameter("new_password", text(40, 1), "新密码", True),
            Parameter("brokerid", text(32, 1), "期货公司代码", True),
            Parameter("interface", words(*REAL_INTERFACES), "接口，缺省 ctp；内置柜台的密码不能修改"),
            Parameter("auth_code", text(), "终端认证码"),
            Parameter("appid", text(), "终端标识"),
            Parameter("front", text(longest=64), "期货公司前置的名字，同 /login"),
            Parameter("td_address", FRONT, "交易前置，几个之间用逗号；未给 front 时必填"),
            Parameter("md_address", FRONT, "行情前置，同上"),
        ),
        open=True,
    ),
    Operation(
        "POST",
        "/logout",
        "注销：结束网关，吊销令牌，挂单留在柜台",
        (Parameter("authorization", CODE, "授权码", True),),
    ),
    Operation("POST", "/auth_code", "修改授权码", NEW_CODE),
    Operation("PUT", "/auth_code", "修改授权码", NEW_CODE),
    Operation("POST", "/market", "订阅行情；一个不认识则全不订", (SYMBOLS,)),
    Operation("PUT", "/market", "推送合约列表"),
    Operation("DELETE", "/market", "退订行情", (SYMBOLS,)),
    Operation("GET", "/contract", "合约明细", (Parameter("symbol", SYMBOL, "合约", True), EXCHANGE)),
    Operation("GET", "/order_solve", "持仓、挂单、成交、委托、日志"),
    Operation(
        "POST",
        "/order_solve",
        "下单；答 ORDER_STATE_UNKNOWN 或没有应答时，以同一 client_order_id 再发是安全的",
        (
            LOCAL_SYMBOL,
            DIRECTION,
            Parameter("offset", both(OFFSET_TEXT), "开平；与 direction 写反亦可", True),
            Parameter("type", both(TYPE_TEXT), "报单类型", True),
            Parameter("price", number(0, HIGHEST_PRICE), "价格，最小变动价位的整数倍；市价单不需要"),
            VOLUME,
            EXCHANGE,
            Parameter(
                "client_order_id", text(), "客户端自定的编号：同一个号只下一张单，以前的交易日用过的被拒"
            ),
        ),
    ),
    Operation(
        "DELETE",
        "/order_solve",
        "撤单",
        (
            Parameter("order_id", text(), "委托编号，可带网关前缀；all 未给时必填"),
            Parameter("local_symbol", SYMBOL, "合约，给出则须与委托一致"),
            EXCHANGE,
            Parameter("all", FLAG, "撤全部"),
        ),
    ),
    Operation(
        "POST",
        "/close_position",
        "平仓：按 CLOSE_PATTERN 分平今平昨",
        (
            Parameter("local_symbol", SYMBOL, "合约；或用 symbol"),
            Parameter("symbol", SYMBOL, "合约；两者都给出时须是同一个"),
            DIRECTION,
            VOLUME,
            EXCHANGE,
        ),
    ),
    Operation(
        "POST",
        "/bar",
        "K 线，旧在前；缺省为最近 3 天",
        (
            LOCAL_SYMBOL,
            EXCHANGE,
            Parameter("interval", words(*INTERVALS), "周期，缺省 1m"),
            Parameter("cut", words(*CUTS), "怎样划分：按交易时间，或按钟点"),
            Parameter("start", whole(0, LATEST, 0), "起，毫秒，含"),
            Parameter("end", whole(0, LATEST, 0), "止，毫秒，不含；0 为不限"),
            Parameter("limit", whole(0, MOST_BARS, 0), "最新的几根；0 为不限"),
        ),
    ),
    Operation(
        "GET",
        "/code",
        "策略代码",
        (
            STRATEGY,
            Parameter("version", whole(0, MOST_VERSIONS, 0), "第几版；0 为当前的"),
        ),
    ),
    Operation("POST", "/code", "保存策略：须绑定 ext；同名为新的一版", (SOURCE,)),
    Operation("POST", "/check_code", "检查代码：pylint 与策略特有的规则；没有要说的则为 null", (SOURCE,)),
    Operation("POST", "/run_code", "在沙箱里试运行代码，答它所打印的", (SOURCE,)),
    Operation("GET", "/config", "账户的八项设置"),
    Operation(
        "PUT",
        "/config",
        "修改设置：一个不合法则全不改，立即生效",
        (
            Parameter(
                "REFRESH_INTERVAL",
                {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_REFRESH},
                "查询间隔，秒",
            ),
            Parameter("INSTRUMENT_INDEPEND", FLAG, "策略只收自己的合约"),
            *(
                Parameter(f"SLIPPAGE_{side}", SLIPPAGE, "滑点，元")
                for side in ("SHORT", "BUY", "COVER", "SELL")
            ),
            Parameter("CLOSE_PATTERN", words("today", "yesterday"), "平仓先平今或先平昨"),
            Parameter("SHARED_FUNC", FLAG, "推送分时点"),
        ),
    ),
    Operation(
        "GET",
        "/events",
        "漏掉的 order_update 与 trade_update",
        (
            Parameter("since", whole(0, 2**53, 0), "上次见到的 seq"),
            Parameter("limit", whole(1, MOST_EVENTS, 1000), "最多几条"),
        ),
    ),
    Operation(
        "GET",
        "/strategy",
        "策略列表；给出 name 则为那一个的明细",
        (Parameter("name", STRATEGY_NAME, "策略名；给出则另有版本、委托、成交、持仓、盈亏、限制"),),
    ),
    Operation(
        "PUT",
        "/strategy",
        "启停策略",
        (STRATEGY, Parameter("operation", words(*STRATEGY_OPERATIONS), "操作", True)),
    ),
    Operation("DELETE", "/strategy", "删除策略文件；各版本代码留存；运行中的须先停止", (STRATEGY,)),
    Operation(
        "PUT",
        "/strategy/limits",
        "策略的限制，整组替换；不给或为 0 即不限",
        (
            STRATEGY,
            Parameter("contracts", SEVERAL, "只可交易这些合约，带交易所，多个用逗号"),
            *(
                Parameter(name, whole(0, MOST_LOTS, 0), what)
                for name, what in zip(LIMITS, ("每笔手数", "每个合约的持仓手数", "每分钟报单数"), strict=True)
            ),
        ),
    ),
    Operation(
        "GET",
        "/strategy/log",
        "策略的日志，新在前",
        (
            STRATEGY,
            Parameter("before", text(), "上一页答复中的 before；不给则从最新开始"),
            Parameter("limit", whole(1, MOST_LINES, 100), "最多几行"),
        ),
    ),
    Operation(
        "GET",
        "/settlement",
        "某日的结算单，缺省为最新一份",
        (
            Parameter(
                "day", {"type": "string", "pattern": "^20[0-9]{6}$", "examples": ["20250606"]}, "交易日"
            ),
        ),
    ),
    Operation("POST", "/settlement", "确认最新的结算单"),
    Operation("GET", "/healthz", "web 在否", open=True),
    Operation("GET", "/readyz", "主机、存储、网关、前置是否就绪", open=True),
    Operation(
        "GET", "/metrics", "Prometheus 的指标（文本）；只许本机直接取，或出示 metrics_token", open=True
    ),
    Operation("GET", "/openapi.json", "本说明", open=True),
)

ENVELOPE = {
    "type": "object",
    "required": ["success", "msg", "data"],
    "properties": {
        "success": {"type": "boolean"},
        "msg": {"type": "string", "description": "给人看的话"},
        "data": {},
        "error": {
            "type": "string",
            "description": "失败或存疑时的机器码，如 CTP_31、BAD_INPUT、ORDER_STATE_UNKNOWN",
        },
        "parameter": {"type": "string", "description": "哪个参数有误"},
        "order_id": {"type": "string"},
    },
}
ANSWER = {
    "description": "统一响应",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Envelope"}}},
}
ITSELF = {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}}}
DESCRIPTION = (
    "参数可放查询串、表单或 JSON 体，同名；数字与真假也可写成文字；多余的忽略，同一个写两次算错。"
    "令牌以 Authorization: Bearer 出示时用真实状态码；"
    "以 Authorization: JWT 出示时，以及 /login，除 404、405、413、500 外一律 200，看 success。"
)


def description() -> dict[str, Any]:
    """The OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ctpbee_backend", "version": "1", "description": DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": {"Envelope": ENVELOPE},
            "securitySchemes": {
                "Bearer": {"type": "http", "scheme": "bearer"},
                "JWT": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "JWT <token>，原页面的写法",
                },
            },
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": f"{operation.method.lower()}{operation.path.replace('/', '_').replace('.', '_')}",
        "responses": {"default": ITSELF if operation.path == "/openapi.json" else ANSWER},
        "security": [] if operation.open else [{"Bearer": []}, {"JWT": []}],
    }
    if operation.method in ("POST", "PUT") and operation.parameters:
        properties = {
            parameter.name: parameter.schema | {"description": parameter.what}
            for parameter in operation.parameters
        }
        required = [parameter.name for parameter in operation.parameters if parameter.required]
        schema = {"type": "object", "properties": properties} | ({"required": required} if required else {})
        content = {
            kind: {"schema": schema} for kind in ("application/json", "application/x-www-form-urlencoded")
        }
        described["requestBody"] = {"required": bool(required), "content": content}
    elif operation.parameters:
        described["parameters"] = [
            {
                "name": parameter.name,
                "in": "query",
                "required": parameter.required,
                "description": parameter.what,
                "schema": parameter.schema,
            }
            for parameter in operation.parameters
        ]
    return described


@blueprint.get("/openapi.json")
@ours
def openapi() -> Response:
    """GET /openapi.json: this description, without an envelope. Open."""
    return Response(orjson.dumps(description()), mimetype="application/json")
