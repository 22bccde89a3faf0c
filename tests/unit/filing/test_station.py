"""The server of a pack's own: its settings, and what it does not do twice."""

from __future__ import annotations

import socket
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from app.filing.outcome import NotReached
from app.filing.secrets import HIDDEN, Secrets
from app.filing.station import Station, Ticket, paper_evening
from app.lib import calendar
from app.lib.brokers import Brokers, front_of
from app.lib.sessions import phase
from app.settings import Settings

SIM = Ticket("sim", "9999", "u1", "secret-9")


def a_real_ticket() -> Ticket:
    return Ticket(
        "ctp", "9999", "u1", "secret-9", "client_x_1", "code-7", "tcp://td.example:1", "tcp://md.example:2"
    )


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the server says to each login, and what was asked of it goes to the end."""
    said: list[dict[str, Any]] = []
    monkeypatch.setattr(
        Station, "ask", lambda _self, _method, _path, **fields: said.pop(0) | {"asked": fields}
    )
    return said


def test_a_login_that_was_refused_is_never_tried_again(tmp_path: Path, answers: list[dict[str, Any]]) -> None:
    station = Station(tmp_path, SIM, Settings(), Secrets())
    answers += [{"success": False, "msg": "CTP:不合法的登录"}, {"success": True, "data": "token"}]
    assert not station.log_in()["success"]
    with pytest.raises(NotReached, match="不再试，以免账户被锁：CTP:不合法的登录"):
        station.log_in()
    assert len(answers) == 1


def test_a_login_goes_to_the_front_itself_or_through_the_line(
    tmp_path: Path, answers: list[dict[str, Any]]
) -> None:
    secrets = Secrets()
    station = Station(tmp_path, a_real_ticket(), Settings(), secrets)
    answers += [{"success": True, "data": "token-1"}, {"success": True, "data": "token-2"}]
    direct, lined = station.log_in()["asked"], station.log_in(through_line=True)["asked"]
    assert (direct["td_address"], direct["md_address"]) == ("tcp://td.example:1", "tcp://md.example:2")
    for side in ("td_address", "md_address"):
        assert lined[side].startswith("tcp://127.0.0.1:")
    assert secrets.hide("token-1 token-2") == f"{HIDDEN} {HIDDEN}"
    station.close()


def test_the_front_and_the_line_to_it_are_one_broker_s(tmp_path: Path) -> None:
    station = Station(tmp_path, a_real_ticket(), Settings(), Secrets())
    known = Brokers(station._settings.fronts)
    lined = " ".join(station._lined(side) for side in ("tcp://td.example:1", "tcp://md.example:2"))
    assert known.are_same("filing", front_of(lined))
    assert known.are_same("filing", front_of("tcp://td.example:1 tcp://md.example:2"))
    station.close()


def test_it_touches_nothing_that_is_the_traders_own(tmp_path: Path) -> None:
    own = Settings(
        host="0.0.0.0",
        port=5000,
        data_dir=tmp_path / "mine",
        mongo_uri="mongodb://u:p@db/",
        public=True,
        origins=["https://a.example"],
        order_timeout=7.0,
    )
    made = Station(tmp_path / "s", SIM, own, Secrets())._settings
    assert (made.host, made.port, made.mongo_uri, made.public) == ("127.0.0.1", 0, "", False)
    assert (made.data_dir, made.strategies_dir) == (tmp_path / "s" / "data", tmp_path / "s" / "strategies")
    assert made.order_timeout == 7.0
    environment = Station(tmp_path / "s", SIM, own, Secrets())._environment()
    assert "mongodb" not in "".join(environment.values())


@pytest.mark.parametrize(
    "day", [date(2026, 11, 27), date(2026, 11, 29), date(2026, 10, 5), date(2026, 2, 14)]
)
def test_the_paper_counter_begins_in_a_night_in_which_one_market_is_closed(day: date) -> None:
    begin = paper_evening(day)
    assert begin.date() < day
    assert calendar.has_night(begin.date())
    moment = datetime(begin.year, begin.month, begin.day, 21, 5, tzinfo=calendar.SHANGHAI)
    assert (phase("rb", moment), phase("IF", moment)) == ("continuous", "closed")


def test_the_lines_ports_are_free_again_when_it_is_closed(tmp_path: Path) -> None:
    station = Station(tmp_path, a_real_ticket(), Settings(), Secrets())
    port = int(station._lined("tcp://td.example:1").rpartition(":")[2])
    station.close()
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
