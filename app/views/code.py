"""/code, /check_code, /run_code: strategies' texts, kept, checked and tried out. Web process."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response, g
from pydantic import Field

from app.auth import auth_required
from app.global_var import G
from app.lib.errors import NotFound
from app.views import answers
from app.views.asking import ask_host
from app.views.described import described
from app.views.envelope import failing_as, failing_in_data, succeed
from app.views.parameters import Request, Source, StrategyName, Whole
from app.wire.messages import CodeSaved, ReadCode, SaveCode

MOST_VERSIONS = 10**9

blueprint = Blueprint("code", __name__)


class CodeRequest(Request):
    name: Annotated[str, StrategyName("name is none", "unknown name")] = Field(description="策略名")
    version: Annotated[int, Whole(0, MOST_VERSIONS)] = Field(0, description="第几版；0 为当前的")


class SourceRequest(Request):
    text: Annotated[str, Source()] = Field(description="策略代码")


@blueprint.get("/code")
@auth_required
@described("策略代码", CodeRequest, data=dict[str, str])
def read_code(sent: CodeRequest) -> Response:
    """GET /code → {name: source}. Token."""
    with failing_as("unknown name", NotFound):
        return succeed(ask_host(ReadCode(sent.name, sent.version, g.caller.account)))


@blueprint.post("/code")
@auth_required
@failing_as("添加失败", why=True)
@described("保存策略：末尾须绑定 ext；同名为新的一版", SourceRequest, added=CodeSaved)
def save_code(sent: SourceRequest) -> Response:
    """POST /code: a name that is known gets a new version. Token."""
    G.workshop.read(g.caller.account, sent.text)  # in a child: what is hostile comes no further
    saved: CodeSaved = ask_host(SaveCode(g.caller.account, sent.text))
    msg = "添加成功，策略正在运行，重启后才用新代码" if saved.running else "添加成功"
    return succeed(msg=msg, name=saved.name, version=saved.version, running=saved.running)


@blueprint.post("/check_code")
@auth_required
@described(
    "检查代码：pylint 与策略特有的规则；没有要说的则为 null",
    SourceRequest,
    data=list[answers.Problem] | None,
)
def check_code(sent: SourceRequest) -> Response:
    """POST /check_code → [{code, error, message, line, error_info}, …], or null where there is nothing to
    say. Token.
    """
    return succeed(G.workshop.check(g.caller.account, sent.text) or None)


@blueprint.post("/run_code")
@auth_required
@failing_in_data()
@described("在沙箱里试运行代码，答它所打印的", SourceRequest, added=answers.Ran)
def run_code(sent: SourceRequest) -> Response:
    """POST /run_code → what it printed, which `limit` ended it, its `exit_code`. Token."""
    ran = G.workshop.run(g.caller.account, sent.text)
    return succeed(ran.output, ran.msg, limit=ran.limit, exit_code=ran.exit_code)
