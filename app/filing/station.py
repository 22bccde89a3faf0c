"""The server that a pack is made on: started for it in a folder of its own, asked over HTTP as any client
asks, and ended with it. Command's own process.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from app.data_dir import account_folder, prepare
from app.filing.camera import Pass
from app.filing.forwarder import Forwarder
from app.filing.outcome import NotReached
from app.filing.secrets import Secrets
from app.lib import audit, calendar, fronts
from app.lib.account_names import account_key
from app.lib.errors import AppError
from app.process import child
from app.process.bound import bound
from app.settings import MONGO, Settings
from app.wire.registry import Registry

AUTHORIZATION = "000000"  # the server is this command's own, and listens on 127.0.0.1 alone
START = 60.0  # seconds until the server answers
ANSWER = 90.0  # seconds that it may take to answer
POLL = 0.05

T = TypeVar("T")


def until(probe: Callable[[], T], seconds: float) -> T:
    """The first truthy value of `probe`, or its last one when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := probe()) and time.monotonic() < deadline:
        time.sleep(POLL)  # it is another process that is waited for
    return value


@dataclass(frozen=True)
class Ticket:
    """Who logs in, and where. `what` says what the front is."""

    interface: str
    brokerid: str
    userid: str
    password: str = field(repr=False)
    appid: str = ""
    auth_code: str = field(default="", repr=False)
    td: str = ""
    md: str = ""
    what: str = ""

    @property
    def account(self) -> str:
        return account_key(self.interface, self.brokerid, self.userid)


def paper_evening(today: date) -> datetime:
    """When the built-in counter's clock begins: five minutes into the newest night session before today's. At
    night one contract trades while another's market is closed, which check 4.2 needs.
    """
    day = calendar.previous_trading_day(today)
    while not calendar.has_night(day):
        day = calendar.previous_trading_day(day)
    return datetime(day.year, day.month, day.day, 21, 5)


class Station:
    """`folder` is empty, this command's, and short: sockets lie in it."""

    def __init__(self, folder: Path, ticket: Ticket, settings: Settings, secrets: Secrets) -> None:
        self.ticket = ticket
        self._folder = folder
        self._secrets = secrets
        self.data_dir = folder / "data"
        self._registry = Registry(self.data_dir)
        self._process: subprocess.Popen[bytes] | None = None
        self._token = ""
        self._refused = ""  # why a login was
        both = dict.fromkeys((*fronts.split(ticket.td), *fronts.split(ticket.md)))
        self._lines = [Forwarder(address, folder) for address in both if address]
        self._settings = own_settings(settings, self.data_dir, ticket, self._known_fronts())

    # ── its life ──

    def start(self) -> None:
        """Raises AppError when it does not come up."""
        prepare(self.data_dir)
        (self.data_dir / "run").mkdir(mode=0o700, exist_ok=True)
        with open(self._folder / "console.log", "ab") as console:
            self._process = subprocess.Popen(
                bound([sys.executable, "-m", "app.commands"]),  # nobody else would end it after a kill
                cwd=child.ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        until(lambda: self._is_up() or self._process_ended(), START)
        if self._process_ended() or not self._is_up():
            said = (self._folder / "console.log").read_text("utf-8", "replace").strip()
            raise AppError(f"报备用的服务器没有起来：{said[-500:]}")

    def close(self) -> None:
        for line in self._lines:
            line.close()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        left = [child.Process(entry.name, entry=entry) for entry in self._registry.living()]
        child.end(left, 2.0)

    def _process_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _is_up(self) -> bool:
        try:
            return bool(self.ask("GET", "/healthz")["data"]["host"] == "up")
        except (NotReached, KeyError, TypeError):
            return False

    def _environment(self) -> dict[str, str]:
        return {name: value for name, value in self._settings.to_environment().items() if name != MONGO}

    # ── asking ──

    @property
    def url(self) -> str:
        entry = self._registry.find("web")
        if entry is None:
            raise NotReached("服务器的网页进程没有在运行")
        return entry.address

    def ask(self, method: str, path: str, **fields: Any) -> dict[str, Any]:
        """The whole envelope, whatever it says, with `http_status`. Raises NotReached when there is none."""
        address = urlsplit(self.url)
        in_query = method == "GET" and fields
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        connection = http.client.HTTPConnection(address.netloc, timeout=ANSWER)
        try:
            connection.request(
                method,
                f"{path}?{urlencode(fields)}" if in_query else path,
                None if method == "GET" else json.dumps(fields),
                headers | {"Content-Type": "application/json"},
            )
            reply = connection.getresponse()
            body = json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NotReached(f"服务器没有应答 {method} {path}：{error}") from None
        finally:
            connection.close()
        return dict(body) | {"http_status": reply.status}

    def do(self, method: str, path: str, **fields: Any) -> Any:
        """The `data` of a success. Raises NotReached otherwise."""
        answer = self.ask(method, path, **fields)
        if not answer.get("success"):
            raise NotReached(f"{method} {path} 没有成功：{answer.get('msg', '')}")
        return answer["data"]

    def command(self, *arguments: str) -> tuple[int, str]:
        """What `run.py` with these arguments does on this server's data: exit code and what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "app.commands", *arguments],
            cwd=child.ROOT,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ANSWER,
            check=False,
        )
        return done.returncode, (done.stdout + done.stderr).strip()

    # ── the account ──

    def log_in(self, through_line: bool = False) -> dict[str, Any]:
        """The envelope of a login, at the front itself or through the line that can be cut. After one that
        was refused there is no other: a front locks an account for wrong passwords. Raises NotReached then.
        """
        if self._refused:
            raise NotReached(f"先前的登录被拒绝，不再试，以免账户被锁：{self._refused}")
        if through_line:
            self._lay_line()
        ticket = self.ticket
        td, md = (self._lined(side) if through_line else side for side in (ticket.td, ticket.md))
        real = {"td_address": td, "md_address": md, "appid": ticket.appid, "auth_code": ticket.auth_code}
        answer = self.ask(
            "POST",
            "/login",
            authorization=AUTHORIZATION,
            interface=ticket.interface,
            brokerid=ticket.brokerid,
            userid=ticket.userid,
            password=ticket.password,
            **(real if ticket.interface != "sim" else {}),
        )
        if answer.get("success"):
            self._token = str(answer["data"])
            self._secrets.add(self._token)
        else:
            self._refused = str(answer.get("msg", ""))
        return answer

    def log_out(self) -> None:
        self.do("POST", "/logout", authorization=AUTHORIZATION)

    def shown(self) -> Pass:
        """What a browser needs to show this account."""
        return Pass(self.url, self.ticket.account, self._token)

    def front(self, side: str) -> str:
        """The state of the trading (`td`) or market (`md`) front; "" while the account is not logged in."""
        found = self.do("GET", "/healthz")["fronts"]
        return str(found[0][side]["state"]) if found else ""

    def audit(self, after: int = 0) -> list[dict[str, Any]]:
        """The entries of the account's audit log above this seq, the oldest first."""
        return [entry for entry in self._entries() if entry["seq"] > after]

    def audit_end(self) -> int:
        """The seq of the newest entry, 0 for none."""
        return max((int(entry["seq"]) for entry in self._entries()), default=0)

    def _entries(self) -> Iterator[dict[str, Any]]:
        for path in sorted((account_folder(self.data_dir, self.ticket.account) / "audit").glob(audit.FILES)):
            yield from audit.entries(path.read_bytes().splitlines())

    # ── the line ──

    @property
    def line(self) -> str:
        """Where it leads, in words."""
        return "、".join(
            f"{line.address.partition('#')[0]} → {line.target.partition('#')[0]}" for line in self._lines
        )

    def cut(self) -> int:
        """Cut the network path; returns how many connections led through it."""
        return sum(line.cut() for line in self._lines)

    def mend(self) -> None:
        for line in self._lines:
            line.mend()

    def _known_fronts(self) -> dict[str, str]:
        """The front itself and the line to it as one broker's: an account may not change its front
        otherwise.
        """
        ticket = self.ticket
        sides = [f"{side},{self._lined(side)}" for side in (ticket.td, ticket.md) if side]
        return {"filing": " ".join(sides)} if sides else {}

    def _lay_line(self) -> None:
        """Before the built-in counter's socket, once: by the registry, where gateways look it up. Before
        CTP's fronts it lies from the beginning.
        """
        if self._lines:
            return
        entry = self._registry.find("counter")
        if entry is None:
            raise NotReached("内置柜台没有在运行")
        self._lines = [Forwarder(entry.address, self._folder)]
        self._registry.write(msgspec.structs.replace(entry, address=self._lines[0].address))

    def _lined(self, side: str) -> str:
        by_target = {line.target: line.address for line in self._lines}
        return ",".join(by_target.get(address, address) for address in fronts.split(side))


def own_settings(settings: Settings, data_dir: Path, ticket: Ticket, known: dict[str, str]) -> Settings:
    """The trader's settings where they say how trading goes, this server's own in everything else."""
    own: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "instance": 0,
        "data_dir": data_dir,
        "strategies_dir": data_dir.with_name("strategies"),
        "public": False,
        "origins": [],
        "proxies": 0,
        "fronts": known,
        "mongo_uri": "",
        "async_mode": "eventlet",
        "log_to": "files",
        "log_format": "text",
        "login_per_address": 1000,
        "login_per_account": 1000,
        "ctp_hours": "always",
    }
    if ticket.interface == "sim":
        own |= {
            "interface": "sim",
            "counter_hours": "exchange",
            "counter_quotes": "generated",
            "counter_clock": paper_evening(date.today()).isoformat(),
            "counter_capital": Settings.model_fields["counter_capital"].default,
        }
    else:
        own["interface"] = ticket.interface
    return settings.model_copy(update=own)
