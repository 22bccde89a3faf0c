"""Who may log in: at fronts that are listed, and while there is a place."""

from __future__ import annotations

import pytest

from app.host.admission import at_a_listed_front, check_room
from app.lib.brokers import Brokers, listed
from app.lib.errors import LoginRefused, TooManyAccounts
from app.settings import Settings
from app.wire.messages import LogIn

TD, MD = "tcp://td.example:1", "tcp://md.example:2"
LISTED = Brokers(listed({"simnow": {"td": [TD], "md": [MD]}}))
NONE = Brokers(listed({}))


def log_in(interface: str = "ctp", td: str = "", md: str = "", front: str = "") -> LogIn:
    return LogIn(interface, "9999", "demo", "p", td_address=td, md_address=md, front=front)


@pytest.mark.parametrize("is_public", [False, True])
@pytest.mark.parametrize("request_", [log_in(front="simnow"), log_in(td=TD, md=MD)])
def test_a_listed_front_is_found_by_its_name_and_by_its_addresses(request_: LogIn, is_public: bool) -> None:
    found = at_a_listed_front(request_, LISTED, is_public)
    assert (found.td_address, found.md_address) == (TD, MD)


@pytest.mark.parametrize(
    ("request_", "brokers", "is_public", "code"),
    [
        (log_in(td=TD, md="tcp://else.example:2"), LISTED, False, "FRONT_NOT_LISTED"),
        (log_in(front="nobody", td=TD, md=MD), LISTED, False, "FRONT_NOT_LISTED"),
        (log_in(front="simnow"), NONE, False, "FRONT_NOT_LISTED"),
        (log_in(td=TD, md=MD), NONE, True, "FRONTS_UNSET"),
    ],
)
def test_any_other_is_refused(request_: LogIn, brokers: Brokers, is_public: bool, code: str) -> None:
    with pytest.raises(LoginRefused) as refused:
        at_a_listed_front(request_, brokers, is_public)
    assert refused.value.code == code


def test_who_has_a_server_alone_may_name_any_front_and_paper_names_none() -> None:
    mine, paper = log_in(td=TD, md=MD), log_in("sim")
    assert at_a_listed_front(mine, NONE, is_public=False) == mine
    assert at_a_listed_front(paper, NONE, is_public=True) == paper


@pytest.mark.parametrize(
    ("interface", "others", "most"),
    [
        ("sim", ["ctp", "sim"], ""),
        ("ctp", ["sim", "sim"], ""),
        ("sim", ["sim", "sim"], "模拟账户 2 个"),
        ("ctp", ["ctp", "sim", "sim"], "账户 3 个"),
        ("sim", ["sim", "sim", "ctp"], "已登录账户 3 个"),
    ],
)
def test_there_are_so_many_places_and_paper_accounts_leave_some_to_real_ones(
    interface: str, others: list[str], most: str
) -> None:
    settings = Settings.load(environment={}, max_accounts=3, max_paper_accounts=2)
    if not most:
        check_room(interface, others, settings)
        return
    with pytest.raises(TooManyAccounts, match=most):
        check_room(interface, others, settings)
