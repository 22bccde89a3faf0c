"""Running all the checks, on a server that lives as long as they do. Command's own process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from app.filing.camera import NoCamera, PageCamera
from app.filing.checks import CHECKS, Bench, run_check
from app.filing.chromium import find
from app.filing.desk import Desk
from app.filing.guide import Guide
from app.filing.outcome import Outcome
from app.filing.secrets import Secrets
from app.filing.station import Station, Ticket
from app.filing.trace import NoPicture, Trace
from app.lib import rows
from app.lib.calendar import SHANGHAI
from app.lib.program import version
from app.settings import Settings


def run_all(
    folder: Path,
    ticket: Ticket,
    settings: Settings,
    guide: Guide,
    symbol: str = "",
    told: Callable[[Outcome], None] = lambda _outcome: None,
) -> tuple[list[Outcome], dict[str, str]]:
    """Every check in its order; `told` hears of each. Returns what they came to, and what the report says of
    the whole. Raises AppError when the server does not start.
    """
    secrets = Secrets([ticket.password, ticket.auth_code])
    began = datetime.now(SHANGHAI)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="filing-") as place:
        station = Station(Path(place), ticket, settings, secrets)
        desk = Desk(station, symbol)
        camera = _camera(station, desk)
        try:
            station.start()
            bench = Bench(station, desk, guide)
            for check in CHECKS:
                outcome = Outcome(check.id, check.name, check.expected)
                trace = Trace(outcome, folder, camera=camera, guide=guide, secrets=secrets)
                outcomes.append(run_check(check, bench, trace))
                told(outcome)
        finally:
            camera.close()
            station.close()
    about = {
        "软件": f"ctpbee_backend {version()}",
        "测试环境": ticket.what,
        "账号": f"{ticket.userid}（BrokerID {ticket.brokerid}）",
        "AppID": ticket.appid or "（内置柜台没有）",
        "交易前置": ticket.td or "（内置柜台没有）",
        "行情前置": ticket.md or "（内置柜台没有）",
        "合约": desk.symbol or "（没有选到）",
        "开始（北京时间）": rows.time_text(began),
        "结束（北京时间）": rows.time_text(datetime.now(SHANGHAI)),
    }
    return outcomes, about


def _camera(station: Station, desk: Desk) -> PageCamera | NoCamera:
    try:
        find()
    except NoPicture as error:
        return NoCamera(str(error))
    return PageCamera(station.shown, lambda: desk.symbol)
