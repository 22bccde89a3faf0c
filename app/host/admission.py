"""Who may log in: at which fronts, and how many. Host process, any thread."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from app.lib.brokers import Brokers, Front, addresses
from app.lib.errors import LoginRefused, TooManyAccounts
from app.settings import FRONTS_UNSET, Settings
from app.wire.messages import LogIn

log = logging.getLogger(__name__)


def at_a_listed_front(request: LogIn, brokers: Brokers, is_public: bool) -> LogIn:
    """The login with its front's addresses. Who names the front names who checks the password: not
    everybody may name any. Raises LoginRefused.
    """
    if request.interface == "sim":
        return request
    if not brokers and is_public:
        log.error("no login with ctp: a public server has to have the setting fronts")
        raise LoginRefused(f"对外服务{FRONTS_UNSET}", code="FRONTS_UNSET")
    if request.front in brokers:
        front = brokers.front(request.front)
        return msgspec.structs.replace(request, td_address=",".join(front.td), md_address=",".join(front.md))
    named = None if request.front else Front(addresses(request.td_address), addresses(request.md_address))
    if named is None or (brokers and not brokers.name_of(named)):
        log.warning(
            "a login of %s names a front that is not listed: %s", request.userid, named or request.front
        )
        known = f"名单上有：{'、'.join(brokers.names)}" if brokers else "没有设置 fronts"
        raise LoginRefused(f"这组前置不在本服务的名单里（{known}），没有连接它", code="FRONT_NOT_LISTED")
    return request


def check_room(interface: str, others: Sequence[str], settings: Settings) -> None:
    """Whether there is a place for one more account of this interface beside those of `others`' interfaces.
    Paper accounts leave room for real ones. Raises TooManyAccounts.
    """
    paper = others.count("sim")
    if len(others) >= settings.max_accounts:
        most = f"账户 {len(others)} 个"
    elif interface == "sim" and paper >= settings.max_paper_accounts:
        most = f"模拟账户 {paper} 个"
    else:
        return
    raise TooManyAccounts(
        f"本服务已登录{most}，到了上限：请先注销一个，或请管理者调高设置 max_accounts、max_paper_accounts"
    )
