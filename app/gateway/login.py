"""The account's login as others wait for it, its password and its front. Gateway process, event thread
only.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, NoReturn

from app.gateway.account import AccountView, Fronts
from app.gateway.futures import then
from app.interfaces.front import LOGGED_IN
from app.lib.advice import refusal_text
from app.lib.brokers import Brokers, Front, addresses
from app.lib.errors import AppError, FrontUnreachable, LoginDelayed, LoginRefused, NotReady
from app.lib.interface_names import CTP_INTERFACES
from app.lib.program import command
from app.model.identity import Identity
from app.model.store import Store, StoreFailed
from app.process.event_loop import EventLoop, Timer
from app.wire.messages import (
    EXIT_LOGIN_REFUSED,
    AwaitLogin,
    ChangePassword,
    CheckPassword,
    Done,
    GiveWay,
    Login,
)

REFUSED_LINGER = 10.0
"""How long a refused gateway stays to tell who asks; whoever started it asks as soon as it listens."""
LOADING_LIMIT = 5.0
"""How long a call waits for lists that are loading."""
UNJUDGED = "柜台尚未核对密码，这时不发令牌：网关留着，柜台可登录时自动登录，成功后再登录即可取得令牌"
JUDGING = ("authenticating", "logging_in")
"""States of the trading front in which the counter has the password before it."""

log = logging.getLogger("account")


class NamedFront:
    """The front that a login names, beside those at which the account may log in (app/model/identity.py)."""

    def __init__(self, login: Login, store: Store, brokers: Brokers) -> None:
        self._login = login
        self._identity = Identity(store)
        self._brokers = brokers
        self._front = _front_of(login)

    def why_barred(self) -> str:
        """What to do about a front that is not the account's; "" for one that may be dialled."""
        if self._front is None or self._identity.may_use(self._front, self._brokers):
            return ""
        wanted = command(f'fronts allow {self._login.account} "{self._brokers.text_of(self._front)}"')
        return f"确要换，请在服务器上运行：{wanted}"

    def differs_from(self, request: CheckPassword) -> bool:
        """Whether another front is named there."""
        asked = _front_of(request)
        if asked is None or self._front is None:
            return False
        return not self._brokers.are_same(str(self._front), asked)

    def keep(self) -> None:
        """It has taken the login: this is whose data it is, and its front."""
        login = self._login
        try:
            self._identity.logged_in(
                login.interface, login.brokerid, login.userid, self._front, self._brokers
            )
        except StoreFailed as error:
            log.error("账户的前置没能记下：%s", error)


def _front_of(named: Login | CheckPassword) -> Front | None:
    """The front that is named there; None for none, and for what is no address: the interface says so before
    it dials.
    """
    try:
        return Front(addresses(named.td_address), addresses(named.md_address))
    except ValueError:
        return None


def described(login: Login) -> str:
    """Who logs in where, as the trader's log has it: nothing in it is secret."""
    if login.interface not in CTP_INTERFACES:
        return f"登录：内置柜台，账号 {login.userid}"
    return (
        f"登录：交易前置 {login.td_address}，行情前置 {login.md_address}，BrokerID {login.brokerid}，"
        f"账号 {login.userid}，AppID {login.appid or '（无）'}"
    )


class _Awaiting(NamedTuple):
    """A call that is answered once the account has loaded."""

    future: Future[Any]
    answer: Callable[[], Any]
    timer: Timer


class LoginDesk:
    """`trader` and `market` are the fronts as they are now, `is_loading` whether the lists are half of the
    truth; `on_end(exit code)` ends the process.
    """

    def __init__(
        self,
        *,
        login: Login,
        loop: EventLoop,
        account: AccountView,
        fronts: Fronts,
        front: NamedFront,
        trader: Callable[[], Any],
        market: Callable[[], Any],
        is_loading: Callable[[], bool],
        on_end: Callable[[int], None],
    ) -> None:
        self._login = login
        self._loop = loop
        self._account = account
        self._fronts = fronts
        self._front = front
        self._trader = trader
        self._market = market
        self._is_loading = is_loading
        self._on_end = on_end
        self._awaiting: list[_Awaiting] = []
        self.refusal: LoginRefused | None = None

    # ── what is asked ──

    def await_login(self, request: AwaitLogin) -> Done | Future[Any]:
        if self.refusal is not None:
            self._end_soon()
            raise self.refusal
        if self._account.is_ready():
            return Done()
        if self._trader().delay is not None:
            raise self._delay()
        return self._when_loaded(Done, request.timeout, self._logged_in_by_now)

    def check_password(self, request: CheckPassword) -> Done:
        judged = {} if self._trader().is_taken else {"is_judged": False}
        if not hmac.compare_digest(request.password.encode(), self._login.password.encode()):
            raise LoginRefused("账户已登录，密码与登录时不同", code="PASSWORD_DIFFERS", **judged)
        if self._front.differs_from(request):
            raise LoginRefused("账户已登录在另一组前置上，请先注销", code="FRONT_DIFFERS", **judged)
        if judged:  # the same as that of the login proves nothing yet: it may be anybody's
            raise self.refusal or self._delay()
        return Done()

    def give_way(self, _request: GiveWay) -> Done:
        """Looked at and done in one step of the event thread: a password that the counter takes is never
        thrown out for another.
        """
        trader = self._trader()
        if trader.is_taken or trader.state in JUDGING:
            raise LoginRefused("账户已登录，密码与登录时不同", code="PASSWORD_DIFFERS")
        log.warning("柜台还没有验过这次登录的密码，账户以另一密码重新登录：本次登录结束")
        for front in (trader, self._market()):
            front.close()
        self._loop.call_later(0.1, self._on_end, 0)
        return Done()

    def change_password(self, request: ChangePassword) -> Future[Done]:
        if not hmac.compare_digest(request.old.encode(), self._login.password.encode()):
            raise LoginRefused("原密码不正确", code="PASSWORD_DIFFERS")
        return then(self._trader().change_password(request.new), lambda _taken: Done())

    def once_loaded(self, answer: Callable[..., Any]) -> Callable[..., Any]:
        """`answer` to a call that needs the account's lists: half lists would be half the truth. After a
        login or at a day's turn this takes a moment, while the counter rests until it is back: nobody waits
        for that. It raises NotReady then.
        """

        def wait(*asked: Any) -> Any:
            if not self._is_loading() and not self._account.is_past:
                return answer(*asked)
            if self._fronts.state("td") == "resting":
                raise NotReady(f"休市：{self._account.front_reason()}", code="OUT_OF_HOURS")
            return self._when_loaded(lambda: answer(*asked), LOADING_LIMIT, _still_loading)

        return wait

    def once_shown(self, answer: Callable[..., Any]) -> Callable[..., Any]:
        """`answer` to who only looks: what was known last will do, since it is marked."""
        loaded = self.once_loaded(answer)

        def wait(*asked: Any) -> Any:
            return (answer if self._account.is_past and not self._is_loading() else loaded)(*asked)

        return wait

    # ── what the front says ──

    def loaded(self) -> None:
        """The account's lists are there."""
        awaiting, self._awaiting = self._awaiting, []
        for future, answer, timer in awaiting:
            timer.cancel()
            _settle(future, answer)

    def refused(self, refusal: LoginRefused) -> None:
        """For good: who waits is told, then the process ends."""
        self.refusal = LoginRefused(refusal_text(refusal.code, refusal.message), code=refusal.code)
        if self._awaiting:
            self._fail(self.refusal)
            self._end_soon()
        else:
            self._loop.call_later(REFUSED_LINGER, self._on_end, EXIT_LOGIN_REFUSED)

    def delayed(self, delay: LoginDelayed) -> None:
        """Who waits is told now; the front is asked again by itself."""
        self._fail(self._advised(delay))

    def password_changed(self, password: str) -> None:
        self._login.password, self._login.new_password = password, ""
        log.info("账户密码已修改")

    # ── waiting ──

    def _when_loaded(self, answer: Callable[[], Any], seconds: float, late: Callable[[], Any]) -> Future[Any]:
        """`answer` once the account has loaded, or the refusal of its login, or what `late` answers or raises
        when neither comes in time.
        """
        future: Future[Any] = Future()

        def give_up() -> None:
            self._awaiting = [other for other in self._awaiting if other.future is not future]
            _settle(future, late)

        self._awaiting.append(_Awaiting(future, answer, self._loop.call_later(seconds, give_up)))
        return future

    def _logged_in_by_now(self) -> Done:
        """A front that has said yes has done so, however long its lists take. Raises FrontUnreachable."""
        if self._fronts.state("td") in LOGGED_IN:
            return Done()
        reason = self._fronts.data()["td"]["reason"]
        raise FrontUnreachable(f"前置未在限定时间内应答{f'：{reason}' if reason else ''}")

    def _delay(self) -> LoginDelayed:
        return self._advised(self._trader().delay or LoginDelayed("柜台正在核对密码"))

    def _advised(self, delay: LoginDelayed) -> LoginDelayed:
        text = refusal_text(delay.code, delay.message)
        return LoginDelayed(text if self._trader().is_taken else f"{text}。{UNJUDGED}", code=delay.code)

    def _fail(self, error: AppError) -> None:
        awaiting, self._awaiting = self._awaiting, []
        for future, _answer, timer in awaiting:
            timer.cancel()
            future.set_exception(error)

    def _end_soon(self) -> None:
        self._loop.call_later(0.1, self._on_end, EXIT_LOGIN_REFUSED)


def _settle(future: Future[Any], answer: Callable[[], Any]) -> None:
    try:
        future.set_result(answer())
    except Exception as error:  # the edge of a call: it is the caller's, and keeps nobody else waiting
        future.set_exception(error)


def _still_loading() -> NoReturn:
    raise NotReady("账户正在载入，请稍候", code="LOADING")
