"""A gateway without trading, a process of its own: what the host starts, watches and asks, nothing more.

Its userid says how it behaves: `refused` and `silent` are its front's answers to the login, `broken` ends
before it listens, `stubborn` does not end when it is asked to, `newer` speaks another version's protocol,
`idle` has no orders, `early`'s counter takes no logins before there is a file `<data>/open`, and `racing`'s
takes it as it is asked to give way. A file `<data>/refuse` has every login refused from then on. What it is
told of strategies goes to a file `<data>/told-<account>`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import Any

import orjson

from app.lib.errors import BadInput, FrontUnreachable, LoginDelayed, LoginRefused
from app.settings import Settings
from app.wire import channel
from app.wire.messages import (
    EXIT_LOGIN_REFUSED,
    AwaitLogin,
    CheckPassword,
    Done,
    GiveWay,
    Json,
    ReadLists,
    ShutDown,
    StrategyChanged,
)
from app.wire.registry import PROTOCOL, Registry
from app.wire.rpc import RpcServer

REFUSED = "CTP:不合法的登录"


def main() -> None:  # noqa: C901 - what it answers and what ends it are one story
    settings = Settings.load()
    who = json.loads(sys.stdin.readline())
    with open(settings.data_dir / f"starts-{who['account']}", "a") as starts:
        starts.write(json.dumps({"pid": os.getpid(), **who}) + "\n")
    if who["userid"] == "broken":
        sys.exit(1)
    refused = who["userid"] == "refused" or (settings.data_dir / "refuse").exists()
    ended = threading.Event()
    told = threading.Event()
    left = threading.Event()
    taken: list[bool] = []

    def is_open() -> bool:
        return who["userid"] not in ("early", "racing") or (settings.data_dir / "open").exists()

    def judged() -> bool:
        taken.extend([True] if is_open() or who["password_taken"] else [])
        return bool(taken)

    def on_close(_connection: channel.Connection) -> None:
        if told.is_set():  # who was told has read it
            left.set()

    def answer(request: Any) -> Any:  # noqa: C901 - one case for each kind of request
        match request:
            case AwaitLogin():
                if refused:
                    told.set()
                    raise LoginRefused(REFUSED, code="CTP_3")
                if not is_open():
                    raise LoginDelayed("不在交易时段", code="OUT_OF_HOURS")
                if who["userid"] == "silent":
                    raise FrontUnreachable("前置未应答")
                if who["new_password"]:
                    who["password"], who["new_password"] = who["new_password"], ""
                return Done()
            case CheckPassword(password=password):
                if password != who["password"]:
                    raise LoginRefused(
                        "密码与登录时不同",
                        code="PASSWORD_DIFFERS",
                        **({} if judged() else {"is_judged": False}),
                    )
                if not judged():
                    raise LoginDelayed("柜台尚未核对密码")
                return Done()
            case GiveWay():
                if judged() or who["userid"] == "racing":
                    raise LoginRefused("密码与登录时不同", code="PASSWORD_DIFFERS")
                ended.set()
                return Done()
            case ReadLists():
                return Json(
                    orjson.dumps(
                        {
                            "active_order_list": [] if who["userid"] == "idle" else [{}, {}],
                            "position_list": [],
                        }
                    )
                )
            case StrategyChanged():
                with open(settings.data_dir / f"told-{who['account']}", "ab") as told_file:
                    told_file.write(request.payload + b"\n")
                return Done()
            case ShutDown():
                if who["userid"] != "stubborn":
                    ended.set()
                return Done()
        raise BadInput("request", "not asked of a gateway here")

    if who["userid"] == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    registry = Registry(settings.data_dir)
    name = f"gateway-{who['account']}"
    server = RpcServer(
        channel.new_address(registry.run_dir, f"gw-{os.getpid()}"),
        lambda _connection, request, reply: reply(answer(request)),
        on_close,
    )
    server.start()
    registry.register(
        door=f"{server.address}-door",
        name=name,
        kind="gateway",
        address=server.address,
        protocol=PROTOCOL + 1 if who["userid"] == "newer" else PROTOCOL,
        **{
            key: who[key]
            for key in ("account", "interface", "brokerid", "userid", "td_address", "md_address")
        },
    )
    try:
        if refused:
            (ended if who["userid"] == "stubborn" else left).wait(30)
            sys.exit(EXIT_LOGIN_REFUSED)
        ended.wait()
    finally:
        server.close()
        registry.unregister(name)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
