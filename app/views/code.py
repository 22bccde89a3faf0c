"""/code, /check_code, /run_code: strategies' texts, kept, checked and tried out. Web process."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g

from app.auth import auth_required
from app.global_var import G
from app.lib.errors import BadInput, NotFound
from app.lib.strategy_lib import LONGEST_NAME, MAX_BYTES, is_safe_name
from app.views.asking import ask_host, parameters
from app.views.envelope import failing_as, failing_in_data, succeed
from app.views.parse import Parameters
from app.wire.messages import CodeSaved, ReadCode, SaveCode

MOST_VERSIONS = 10**9

blueprint = Blueprint("code", __name__)


@blueprint.get("/code")
@auth_required
def read_code() -> Response:
    """GET /code: name, version (0: the newest) → {name: source}. Token."""
    sent = parameters()
    name = sent.text("name", "", longest=LONGEST_NAME)
    if not name:
        raise BadInput("name", "name is none")
    if not is_safe_name(name):
        raise BadInput("name", "unknown name")
    version = sent.integer("version", 0, least=0, most=MOST_VERSIONS)
    with failing_as("unknown name", NotFound):
        return succeed(ask_host(ReadCode(name, version, g.identity.account)))


@blueprint.post("/code")
@auth_required
def save_code() -> Response:
    """POST /code: text, which binds ext. A name that is known gets a new version. Token."""
    with failing_as("添加失败", why=True):
        text = _source(parameters())
        G.workshop.read(g.identity.account, text)  # in a child: what is hostile comes no further
        saved: CodeSaved = ask_host(SaveCode(g.identity.account, text))
    msg = "添加成功，策略正在运行，重启后才用新代码" if saved.running else "添加成功"
    return succeed(msg=msg, name=saved.name, version=saved.version, running=saved.running)


@blueprint.post("/check_code")
@auth_required
def check_code() -> Response:
    """POST /check_code: text → [{code, error, message, line, error_info}, …], or null where there is nothing
    to say. Token.
    """
    return succeed(G.workshop.check(g.identity.account, _source(parameters())) or None)


@blueprint.post("/run_code")
@auth_required
def run_code() -> Response:
    """POST /run_code: text → what it printed; `limit` says which limit ended it, `exit_code` how it ended.
    Token.
    """
    with failing_in_data():
        ran = G.workshop.run(g.identity.account, _source(parameters()))
    return succeed(ran.output, ran.msg, limit=ran.limit, exit_code=ran.exit_code)


def _source(sent: Parameters) -> str:
    """The text as it was sent, blanks and all. Raises BadInput."""
    text: Any = sent.one("text")
    if text is not None and not isinstance(text, str):
        raise BadInput("text", "参数 text 应为文字")
    if not text:
        raise BadInput("text", "缺少参数 text")
    if len(text) > MAX_BYTES:
        raise BadInput("text", f"代码过长，最多 {MAX_BYTES} 字节", code="CODE_TOO_LONG")
    return text
