"""/login, /logout, /password, /auth_code: logging in and out, and the codes for that. Web process."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response, g, request

from app import ext
from app.auth import LONGEST_CODE, auth_required
from app.global_var import G
from app.lib import fronts
from app.lib.account_names import PAPER_BROKER, account_key
from app.lib.errors import BadInput, NotAllowed, NotFound
from app.lib.program import command
from app.views.asking import ask, parameters
from app.views.envelope import failing_as, ours, succeed
from app.views.parse import REQUIRED, Parameters
from app.wire.messages import CheckPassword, LogIn

REAL_INTERFACES = ("ctp", "ctp_se")
INTERFACES = ("sim", *REAL_INTERFACES)

blueprint = Blueprint("account", __name__)


@blueprint.post("/login")
def log_in() -> Response:
    """POST /login: authorization, userid, password, brokerid, auth_code, appid, interface, and td_address and
    md_address or the name of a listed `front` → a token. Open."""
    G.attempts.count_address(request.remote_addr or "")
    sent = parameters()
    G.authorization.check(sent.text("authorization", longest=LONGEST_CODE, strip=False))
    command = _login_of(sent, sent.choice("interface", INTERFACES, G.settings.interface))
    with G.attempts.count_if_refused(*_who(command)):
        logged_in = G.gateways.log_in(command)
    return succeed(G.tokens.issue(logged_in.account), msg="登录成功")


@blueprint.post("/password")
@ours
def change_password() -> Response:
    """POST /password: as /login, and new_password → the account's password at its counter is another, and a
    token. Open.

    For whoever has to change it before the first login (CTP_140, 131, 141), who has no token yet, and for
    whoever wants to.
    """
    G.attempts.count_address(request.remote_addr or "")
    sent = parameters()
    G.authorization.check(sent.text("authorization", longest=LONGEST_CODE, strip=False))
    command = _login_of(sent, sent.choice("interface", REAL_INTERFACES, REAL_INTERFACES[0]))
    command = msgspec.structs.replace(
        command, new_password=sent.text("new_password", longest=40, strip=False)
    )
    with G.attempts.count_if_refused(*_who(command)):
        logged_in = G.gateways.log_in(command)
    return succeed(G.tokens.issue(logged_in.account), msg="密码已修改")


@blueprint.post("/logout")
@auth_required
def log_out() -> Response:
    """POST /logout: authorization. Ends the account's gateway and every token of it. Token."""
    G.attempts.count_address(request.remote_addr or "")
    G.authorization.check(parameters().text("authorization", longest=LONGEST_CODE, strip=False))
    account = g.identity.account
    try:
        working = G.gateways.log_out(account).working_orders
    except NotFound:
        working = 0  # its gateway has gone before; the tokens are still to be ended
    G.tokens.revoke_account(account)
    ext.disconnect_account(account)
    if working < 0:
        return succeed(msg="已注销，未成交委托仍然有效，笔数未知")
    return succeed(msg=f"已注销，{working} 笔未成交委托仍然有效" if working else "已注销，没有未成交委托")


@blueprint.route("/auth_code", methods=["POST", "PUT"])
@auth_required
def change_authorization() -> Response:
    """POST or PUT /auth_code: password (the account's, checked at its gateway), authorization (the new code).
    Token.

    Not on a public server, where it would let any trader, with his own password, change the code of all.
    Raises NotAllowed.
    """
    if G.settings.is_public:
        raise NotAllowed(
            f"对外服务的授权码只能在服务器上修改：{command('auth-code')}", code="AUTH_CODE_BY_COMMAND"
        )
    sent = parameters()
    password = sent.text("password", longest=128, strip=False)
    code = sent.text("authorization", longest=LONGEST_CODE, strip=False)
    G.authorization.check_new(code)
    with failing_as("修改失败"):
        with G.attempts.count_if_refused(g.identity.account, request.remote_addr or ""):
            ask(CheckPassword(password))
        G.authorization.change(code)
    return succeed(msg="修改成功")


def _who(command: LogIn) -> tuple[str, str]:
    """Whose password is tried, and from where."""
    return account_key(command.interface, command.brokerid, command.userid), request.remote_addr or ""


def _login_of(sent: Parameters, interface: str) -> LogIn:
    real = interface != "sim"
    interface = REAL_INTERFACES[0] if real else interface  # two names, one account
    front = sent.text("front", "", longest=64)
    dials = real and not front
    return LogIn(
        interface=interface,
        brokerid=sent.text("brokerid", REQUIRED if real else PAPER_BROKER, longest=32),
        userid=sent.text("userid", longest=32),
        password=sent.text("password", longest=128, strip=False),
        auth_code=sent.text("auth_code", ""),
        appid=sent.text("appid", ""),
        td_address=_front(sent, "td_address") if dials else "",
        md_address=_front(sent, "md_address") if dials else "",
        front=front if real else "",
    )


def _front(sent: Parameters, name: str) -> str:
    addresses = fronts.split(sent.text(name, longest=fronts.LONGEST))
    if not all(map(fronts.is_address, addresses)):
        raise BadInput(name, f"参数 {name} 应形如 {fronts.EXAMPLE}")
    return ",".join(addresses)
