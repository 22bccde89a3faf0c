"""A login: the same to a host as to the gateway that it starts, and to those of an earlier version."""

from __future__ import annotations

import msgspec
import pytest

from app.wire.messages import AnyRequest, LogIn, Login

CREDENTIALS = {
    "interface": "ctp",
    "brokerid": "9999",
    "userid": "demo",
    "password": "secret1",
    "auth_code": "code",
    "appid": "client",
    "td_address": "tcp://td",
    "md_address": "tcp://md",
    "new_password": "secret2",
}


def test_a_login_is_on_the_wire_what_it_has_always_been() -> None:
    request = LogIn(**CREDENTIALS, front="simnow")
    sent = msgspec.msgpack.encode(request)
    assert msgspec.msgpack.decode(sent) == {"kind": "LogIn", **CREDENTIALS, "front": "simnow"}
    assert msgspec.msgpack.decode(sent, type=AnyRequest) == request
    assert LogIn("ctp", "9999", "demo", "secret1", "code", "client", "tcp://td", "tcp://md", "secret2") == (
        LogIn(**CREDENTIALS)
    )


def test_a_gateway_is_told_who_it_is_in_one_line_that_a_host_of_before_writes_too() -> None:
    own = {"account": "ctp-9999-demo", "counter_address": "", "password_taken": True}
    told = Login.of(LogIn(**CREDENTIALS, front="simnow"), account="ctp-9999-demo", password_taken=True)
    assert msgspec.json.decode(msgspec.json.encode(told)) == CREDENTIALS | own
    assert msgspec.json.decode(msgspec.json.encode(CREDENTIALS | own), type=Login) == told
    with pytest.raises(msgspec.ValidationError):  # who is not known is not guessed at
        msgspec.json.decode(msgspec.json.encode(CREDENTIALS | own | {"who": "x"}), type=Login)


def test_a_password_is_not_shown_where_a_login_is() -> None:
    request = LogIn(**CREDENTIALS)
    for shown in (repr(request), repr(Login.of(request, account="a")), f"{[request]}"):
        assert "secret" not in shown
        assert "demo" in shown
