"""/login, /logout, /password, /auth_code: logging in and out, and the codes for that. Web process."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

from flask import Blueprint, Response, g, request
from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, field_validator

from app.auth import auth_required
from app.global_var import G
from app.lib.account_names import PAPER_BROKER, account_key
from app.lib.errors import NotAllowed
from app.lib.program import command
from app.views import leaving
from app.views.asking import ask
from app.views.described import described
from app.views.envelope import failing_as, ours, succeed
from app.views.parameters import Addresses, Choice, Request, Text
from app.views.parse import sent_values
from app.web.credentials import LONGEST_CODE, SHORTEST_CODE
from app.wire.messages import CheckPassword, LogIn

REAL_INTERFACES = ("ctp", "ctp_se")
INTERFACES = ("sim", *REAL_INTERFACES)
Code = Annotated[str, Text(LONGEST_CODE, strip=False), Field(repr=False)]
Password = Annotated[str, Text(128, strip=False), Field(repr=False)]

blueprint = Blueprint("login", __name__)


class Coded(Request):
    authorization: Code = Field(description="本服务的授权码")


class LogInRequest(Coded):
    """The paper counter has no fronts: whatever is said of them is ignored. A real one is dialled at the two
    addresses, or at those of the broker that `front` names.
    """

    interface: Annotated[str, Choice(INTERFACES)] = Field(
        default_factory=lambda: G.settings.interface, description="接口；不给则用服务器的设置"
    )
    front: Annotated[str, Text()] = Field(
        "", description="期货公司前置的名字（服务器的设置 fronts），给了就不看下面两个地址"
    )
    brokerid: Annotated[str, Text(32)] = Field(
        None, validate_default=True, description="期货公司代码；模拟账户可不给"
    )
    userid: Annotated[str, Text(32)] = Field(description="账号")
    password: Password = Field(description="密码")
    auth_code: Annotated[str, Text()] = Field("", description="终端认证码")
    appid: Annotated[str, Text()] = Field("", description="终端标识")
    td_address: Annotated[str, Addresses()] = Field(
        None, validate_default=True, description="交易前置，几个之间用逗号；实盘未给 front 时必填"
    )
    md_address: Annotated[str, Addresses()] = Field(None, validate_default=True, description="行情前置，同上")

    @field_validator("brokerid", mode="wrap")
    @classmethod
    def _of_a_broker(cls, value: Any, judge: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        return PAPER_BROKER if value is None and info.data["interface"] == "sim" else judge(value)

    @field_validator("td_address", "md_address", mode="wrap")
    @classmethod
    def _dialled(cls, value: Any, judge: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        return "" if info.data["interface"] == "sim" or info.data["front"] else judge(value)

    def command(self, new_password: str = "") -> LogIn:
        real = self.interface != "sim"
        return LogIn(
            interface=REAL_INTERFACES[0] if real else self.interface,  # two names, one account
            brokerid=self.brokerid,
            userid=self.userid,
            password=self.password,
            auth_code=self.auth_code,
            appid=self.appid,
            td_address=self.td_address,
            md_address=self.md_address,
            front=self.front if real else "",
            new_password=new_password,
        )


class PasswordRequest(LogInRequest):
    interface: Annotated[str, Choice(REAL_INTERFACES)] = Field(
        REAL_INTERFACES[0], description="接口；内置柜台的密码不能修改"
    )
    brokerid: Annotated[str, Text(32)] = Field(description="期货公司代码")
    password: Password = Field(description="原密码")
    new_password: Annotated[str, Text(40, strip=False)] = Field(repr=False, description="新密码")


class NewCodeRequest(Request):
    password: Password = Field(description="账户密码，仅校验")
    authorization: Code = Field(description="新授权码", json_schema_extra={"minLength": SHORTEST_CODE})


def code_required(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let in only who knows the server's authorization code, and not too often from one address. What else
    was sent is not looked at before that. Raises RateLimited, BadInput, AuthCodeWrong.
    """

    @wraps(view)
    def guarded() -> Any:
        G.attempts.count_address(request.remote_addr or "")
        G.authorization.check(Coded.of(sent_values(request)).authorization)
        return view()

    return guarded


def private_server_required(view: Callable[..., Any]) -> Callable[..., Any]:
    """Not on a public server, where this would let any trader, with his own password, change the code of all.
    Raises NotAllowed.
    """

    @wraps(view)
    def guarded() -> Any:
        if G.settings.is_public:
            raise NotAllowed(
                f"对外服务的授权码只能在服务器上修改：{command('auth-code')}", code="AUTH_CODE_BY_COMMAND"
            )
        return view()

    return guarded


@blueprint.post("/login")
@code_required
@described("登录，得到令牌", LogInRequest)
def log_in(sent: LogInRequest) -> Response:
    """POST /login: a real account with td_address and md_address, or the name of a listed `front` → a token.
    Open.
    """
    login = sent.command()
    with G.attempts.count_if_refused(*_who(login)):
        logged_in = G.gateways.log_in(login)
    return succeed(G.tokens.issue(logged_in.account), msg="登录成功")


@blueprint.post("/password")
@ours
@code_required
@described("修改账户在柜台的密码（首次登录被要求修改时也用它），得到令牌", PasswordRequest)
def change_password(sent: PasswordRequest) -> Response:
    """POST /password: as /login, and new_password → the account's password at its counter is another, and a
    token. Open.

    For whoever has to change it before the first login (CTP_140, 131, 141), who has no token yet, and for
    whoever wants to.
    """
    login = sent.command(sent.new_password)
    with G.attempts.count_if_refused(*_who(login)):
        logged_in = G.gateways.log_in(login)
    return succeed(G.tokens.issue(logged_in.account), msg="密码已修改")


@blueprint.post("/logout")
@auth_required
@code_required
@described("注销：结束网关，吊销令牌，挂单留在柜台", Coded)
def log_out(_sent: Coded) -> Response:
    """POST /logout: ends the account's gateway and every token of it. Token."""
    return succeed(msg=f"已注销，{leaving.log_out(g.caller.account)}")


@blueprint.route("/auth_code", methods=["POST", "PUT"])
@auth_required
@private_server_required
@described("修改授权码", NewCodeRequest)
def change_authorization(sent: NewCodeRequest) -> Response:
    """POST or PUT /auth_code: the account's password, checked at its gateway, and the new code. Token."""
    G.authorization.check_new(sent.authorization)
    with failing_as("修改失败"):
        with G.attempts.count_if_refused(g.caller.account, request.remote_addr or ""):
            ask(CheckPassword(sent.password))
        G.authorization.change(sent.authorization)
    return succeed(msg="修改成功")


def _who(login: LogIn) -> tuple[str, str]:
    """Whose password is tried, and from where."""
    return account_key(login.interface, login.brokerid, login.userid), request.remote_addr or ""
