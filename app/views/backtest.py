"""/backtest: runs of a strategy over recorded bars and ticks, in the background. Web process.

The process of backtests does it (app/backtest/jobs/keeper.py); texts are read in a child before they come
there.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

import orjson
from flask import Blueprint, Response, g
from pydantic import Field

from app.auth import auth_required
from app.global_var import G
from app.lib.errors import BadInput
from app.views import answers
from app.views.asking import ask_host
from app.views.described import described
from app.views.envelope import ours, succeed
from app.views.parameters import (
    Choice,
    Contracts,
    Document,
    LongText,
    Names,
    Number,
    Request,
    Source,
    StrategyName,
    Text,
    Whole,
)
from app.views.pushed import BacktestRow
from app.wire.messages import (
    CancelBacktest,
    CompareBacktests,
    DeleteBacktest,
    Json,
    ListStrategies,
    ReadBacktest,
    ReadBacktestData,
    ReadBacktests,
    ReadCode,
    SubmitBacktest,
)

MOST_VERSIONS = 10**9
MOST_TICKS = 100_000
MOST_COMPARED = 12
LONGEST_RATES = 256 * 1024
CANCEL = "取消"
POLICY = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:"
)
"""A report stands alone: a strategy may have written into what it is made of."""

blueprint = Blueprint("backtest", __name__)

BacktestId = Annotated[str, Text(pattern="[0-9a-f]{16}", example="3f9c2b1a00d4e5f6")]
Day = Text(pattern="[0-9]{4}-?[0-9]{2}-?[0-9]{2}", example="2024-01-31")


class OfStrategy(Request):
    name: Annotated[str, StrategyName()] = Field("", description="保存的策略；与 text 二者之一")
    version: Annotated[int, Whole(0, MOST_VERSIONS)] = Field(0, description="第几版；0 为当前的")
    text: Annotated[str, Source()] = Field("", description="策略代码，不保存")

    def source(self) -> tuple[str, int]:
        """The text, read in a child, and the version that it is: 0 for none. Raises BadInput, NotFound."""
        account = g.caller.account
        if bool(self.name) == bool(self.text):
            raise BadInput("name", "请给出 name（保存的策略）或 text（代码），二者之一")
        text, version = self.text, 0
        if self.name:
            found = ask_host(ReadCode(self.name, self.version, account))
            text = orjson.loads(found.payload)[self.name]
            version = self.version or self._version_of(text)
        G.workshop.read(account, text)
        return text, version

    def _version_of(self, text: str) -> int:
        """Of the newest that is the same; a file that was edited by hand is none yet."""
        row = orjson.loads(ask_host(ListStrategies(g.caller.account, self.name)).payload)
        sha = hashlib.sha256(text.encode()).hexdigest()
        same = (one["version"] for one in reversed(row["versions"]) if one["sha"] == sha)
        return int(next(same, 0))


class StartRequest(OfStrategy):
    contracts: Annotated[list[str], Contracts(gaps=False)] = Field(
        [], description="合约：账户行情库里的 K 线、录下的 tick，或文件里的这几个"
    )
    main: Annotated[list[str], Names()] = Field(
        [], description="主力连续：每天只用这些品种的主力合约，如 rb,m"
    )
    main_warm_up: Annotated[int, Whole(0, 250)] = Field(10, description="换月后先听几个交易日")
    files: Annotated[list[str], Names()] = Field(
        [], description="服务器上的行情文件（GET /backtest/data）；不给则用账户的"
    )
    by: Annotated[str, Choice(("bars", "ticks"))] = Field("bars", description="按 K 线或 tick")
    symbol: Annotated[str, Text()] = Field("", description="文件没写合约时是哪个，如 rb2401.SHFE")
    label: Annotated[str, Choice(("start", "end"))] = Field(
        "", description="文件里 K 线的时间是开始还是结束；不给则自己判断"
    )
    start: Annotated[str, Day] = Field("", description="从这个交易日起，含；不给为最早")
    end: Annotated[str, Day] = Field("", description="到这个交易日为止，含；不给为最晚")
    capital: Annotated[float, Number(-1e15, 1e15)] = Field(1_000_000.0, description="资金，元，大于 0")
    parameters: Annotated[dict[str, object], Document()] = Field(
        {}, description="策略的参数：名字到值（POST /backtest/parameters）；不给的照代码里的"
    )
    spread_ticks: Annotated[int, Whole(0, MOST_TICKS)] = Field(
        1, description="K 线：进场的委托离开盘价几个最小变动价位"
    )
    slippage_ticks: Annotated[int, Whole(0, MOST_TICKS)] = Field(0, description="再加几个的滑点")
    latency_ms: Annotated[int | None, Whole(0, MOST_TICKS)] = Field(
        None, description="tick：委托在途的毫秒；不给则遇到下一笔快照"
    )
    participation: Annotated[float, Number(0.0, 1.0)] = Field(
        0.25, description="K 线：一边至多占一根成交量的多少"
    )
    rates: Annotated[str, LongText(LONGEST_RATES)] = Field(
        "", description="当时的手续费与保证金：rates.csv 的内容（docs/backtest.md）"
    )
    rates_of: BacktestId = Field("", description="用以前哪一次回测（id）的费率文件，代替 rates；再做一次时用")
    title: Annotated[str, Text()] = Field("", description="给人看的名字；不给为策略名")
    search: Annotated[dict[str, object] | None, Document()] = Field(
        None, description="参数搜索（docs/backtest.md）；不给为跑一次"
    )

    def command(self) -> SubmitBacktest:
        """Raises BadInput, NotFound, BadCode."""
        text, version = self.source()
        names = StartRequest.model_fields.keys() - OfStrategy.model_fields.keys()
        own = {name: getattr(self, name) for name in names}
        return SubmitBacktest(account=g.caller.account, text=text, version=version, **own)


class ReadRequest(Request):
    id: BacktestId = Field("", description="哪一次；不给为全部")


class OfBacktest(Request):
    id: BacktestId = Field(description="哪一次")


class CompareRequest(Request):
    ids: Annotated[list[str], Names(MOST_COMPARED)] = Field(description="哪几次，用逗号隔开")


class OperateRequest(OfBacktest):
    operation: Annotated[str, Choice((CANCEL,))] = Field(description="做什么")


@blueprint.post("/backtest")
@auth_required
@ours
@described("开始一次回测，或参数搜索：排队，后台运行", StartRequest, data=BacktestRow, added=answers.Started)
def start_backtest(sent: StartRequest) -> Response:
    """POST /backtest → the job's row, and its id. Token."""
    row: Json = G.gateways.ask_backtests(sent.command())
    return succeed(row, msg="已排队", id=orjson.loads(row.payload)["id"])


@blueprint.get("/backtest")
@auth_required
@ours
@described("回测的列表，新的在前；给出 id 则为那一次", ReadRequest, data=(answers.Backtests, BacktestRow))
def read_backtests(sent: ReadRequest) -> Response:
    """GET /backtest → {jobs, …}; with id one row. Token."""
    account = g.caller.account
    if not sent.id:
        return succeed(G.gateways.ask_backtests(ReadBacktests(account)))
    rows = orjson.loads(G.gateways.ask_backtests(ReadBacktests(account, [sent.id])).payload)
    return succeed(rows[0])


@blueprint.put("/backtest")
@auth_required
@ours
@described("取消一次回测，两秒之内，不论策略在做什么", OperateRequest, data=BacktestRow)
def operate_backtest(sent: OperateRequest) -> Response:
    """PUT /backtest → its row. Token."""
    return succeed(G.gateways.ask_backtests(CancelBacktest(g.caller.account, sent.id)), msg="已取消")


@blueprint.delete("/backtest")
@auth_required
@ours
@described("删除一次回测与它的结果；在跑的先取消", OfBacktest)
def delete_backtest(sent: OfBacktest) -> Response:
    """DELETE /backtest. Token."""
    G.gateways.ask_backtests(DeleteBacktest(g.caller.account, sent.id))
    return succeed(msg="删除成功")


@blueprint.get("/backtest/compare")
@auth_required
@ours
@described("比较几次完成的回测：指标、每日权益、设置", CompareRequest, data=list[answers.Compared])
def compare_backtests(sent: CompareRequest) -> Response:
    """GET /backtest/compare → [{row, figures, days, settings}, …]. Token."""
    return succeed(G.gateways.ask_backtests(CompareBacktests(g.caller.account, sent.ids)))


@blueprint.get("/backtest/result")
@auth_required
@ours
@described(
    "一次回测的结果，同 result.json；参数搜索的同 search.json，没跑完的也给", OfBacktest, data=answers.Row
)
def read_result(sent: OfBacktest) -> Response:
    """GET /backtest/result → the whole document. Token."""
    return succeed(G.gateways.ask_backtests(ReadBacktest(g.caller.account, sent.id)))


@blueprint.get("/backtest/report")
@auth_required
@ours
@described("一次回测的报告：自成一页的 HTML", OfBacktest, bare="text/html")
def read_report(sent: OfBacktest) -> Response:
    """GET /backtest/report → report.html, to be looked at offline. Token."""
    page: Json = G.gateways.ask_backtests(ReadBacktest(g.caller.account, sent.id, what="report"))
    response = Response(page.payload, content_type="text/html; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="report-{sent.id}.html"'
    response.headers["Content-Security-Policy"] = POLICY
    return response


@blueprint.get("/backtest/log")
@auth_required
@ours
@described("一次回测里策略最后打印的，至多 64 KB", OfBacktest, data=answers.Printed)
def read_log(sent: OfBacktest) -> Response:
    """GET /backtest/log → {text}. Token."""
    printed: Json = G.gateways.ask_backtests(ReadBacktest(g.caller.account, sent.id, what="log"))
    return succeed({"text": printed.payload.decode("utf-8", "replace")})


@blueprint.post("/backtest/parameters")
@auth_required
@ours
@described("策略可设的参数与现在的值，供填表", OfStrategy, data=answers.StrategyParameters)
def read_parameters(sent: OfStrategy) -> Response:
    """POST /backtest/parameters → {name, parameters: [{name, default, kind}, …]}. Token."""
    text, _ = sent.source()
    return succeed(G.workshop.parameters(g.caller.account, text))


@blueprint.get("/backtest/data")
@auth_required
@ours
@described("可用于回测的行情：账户行情库里的，服务器上的文件", data=answers.BacktestData)
def read_data() -> Response:
    """GET /backtest/data → {store, files}. Token."""
    return succeed(G.gateways.ask_backtests(ReadBacktestData(g.caller.account)))
