"""The stack as docs/deploy.md sets it up: nginx, supervisord, uWSGI and the gateway host, from the very files
of deploy/.

What is changed in the files is what the document tells the user to change: the domain, the certificate's
place, the number of webs; and the ports, since a test takes free ones. A header stands for the address that a
page comes from, by which nginx chooses its web. As root the programs run as `nobody`.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import psutil
import requests

from app.wire import channel
from app.wire.registry import Entry, Registry
from tests.support.faults import CounterFaults
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
DEPLOYED = ("app", "deploy", "run.py", "uwsgi.ini", "pyproject.toml", "page/dist")
PROGRAMS = ("nginx", "supervisord", "supervisorctl", "openssl")
CODE = "our-own-code"
USER = "nobody"

STRATEGIES = {
    "看着": """
from ctpbee import CtpbeeApi


class Watcher(CtpbeeApi):
    def on_tick(self, tick):
        pass


ext = Watcher("看着")
"""
}

NGINX = """
pid {folder}/nginx.pid;
error_log {folder}/nginx.error.log;
daemon off;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    set_real_ip_from 127.0.0.0/8;
    real_ip_header X-Test-Address;
    include {tree}/deploy/nginx.conf;
}}
"""
SUPERVISOR = """
[unix_http_server]
file={folder}/supervisor.sock
[supervisord]
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
nodaemon=true
childlogdir={folder}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/supervisor.sock
[include]
files={tree}/deploy/supervisor.conf
"""

# Where the directories that Python lies in are open to root alone: a view of the machine in which the way to
# Python, and nothing else of them, is open to all. Arguments: where to keep what is needed meanwhile, the
# shut directories, "--", the needed, "--", a command.
VIEW = """
set -e
keep=$1; shift
shut=""
while [ "$1" != -- ]; do shut="$shut $1"; shift; done
shift
number=0
for path in "$@"; do
    [ "$path" = -- ] && break
    number=$((number + 1)); mkdir -p "$keep/$number"; mount --bind "$path" "$keep/$number"
done
for path in $shut; do mount -t tmpfs -o mode=755 none "$path"; done
number=0
while [ "$1" != -- ]; do
    number=$((number + 1)); mkdir -p "$1"; mount --bind "$keep/$number" "$1"; shift
done
shift
exec "$@"
"""


def missing() -> str:
    """Which program is not there; empty when all are."""
    absent = [name for name in PROGRAMS if _program(name) is None]
    if not (Path(sys.prefix) / "bin" / "uwsgi").exists():
        absent.append("uwsgi（make uwsgi）")
    if not (ROOT / "page" / "dist").is_dir():
        absent.append("page/dist（make page）")
    return "、".join(absent)


class Stack:
    """One deployment on free ports. `url` is nginx; `webs` how many webs there are behind it."""

    login: Mapping[str, str] = MappingProxyType({"interface": "sim"})

    def __init__(self, webs: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ctpbee-deploy-"))
        self.tree = self.folder / "tree"
        self.data_dir = self.tree / "data"
        self.registry = Registry(self.data_dir)
        self.fault_address = channel.new_address(self.folder, "faults.sock")
        self.certificate = self.folder / "certificate.pem"
        self._as_user = _as_ordinary_user(self.folder)
        self._running: list[subprocess.Popen[bytes]] = []
        self._https, self._http, self._first = _free_ports(webs)
        self.url = f"https://localhost:{self._https}"
        self.webs = [f"web-{number}" for number in range(1, webs + 1)]
        self._lay_out(webs)

    def _lay_out(self, webs: int) -> None:
        self.tree.mkdir()
        for name in DEPLOYED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.tree / name)
        (self.tree / ".venv").symlink_to(sys.prefix)
        (self.tree / "strategies").mkdir()
        for name, text in STRATEGIES.items():
            (self.tree / "strategies" / f"{name}.py").write_text(text, "utf-8")
        self._edit("deploy/config.toml", ("https://trade.example.com", self.url))
        self.tree.joinpath("deploy/config.toml").rename(self.tree / "config.toml")
        more = "".join(
            f"server 127.0.0.1:{self._first + number} max_fails=3 fail_timeout=5s;\n"
            for number in range(1, webs + 1)
        )
        self._edit(
            "deploy/nginx.conf",
            ("server 127.0.0.1:5001 max_fails=3 fail_timeout=5s;", more),
            ("listen 80;", f"listen 127.0.0.1:{self._http};"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{self._https} ssl;"),
            ("/etc/letsencrypt/live/trade.example.com/fullchain.pem", str(self.certificate)),
            ("/etc/letsencrypt/live/trade.example.com/privkey.pem", str(self.folder / "key.pem")),
            ("trade.example.com", "localhost"),
        )
        self._edit(
            "deploy/supervisor.conf", ("numprocs=1", f"numprocs={webs}"), ('"500%', f'"{self._first // 10}%')
        )
        for name, text in (("main-nginx.conf", NGINX), ("supervisord.conf", SUPERVISOR)):
            (self.folder / name).write_text(text.format(folder=self.folder, tree=self.tree), "utf-8")
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ]
            + [
                "-addext",
                "subjectAltName=DNS:localhost",
                "-keyout",
                str(self.folder / "key.pem"),
                "-out",
                str(self.certificate),
            ],
            check=True,
            capture_output=True,
        )
        if self._as_user:
            subprocess.run(["chown", "-R", USER, str(self.folder)], check=True)

    def _edit(self, name: str, *changes: tuple[str, str]) -> None:
        path = self.tree / name
        text = path.read_text("utf-8")
        for old, new in changes:
            assert old in text, f"{name} no longer has {old!r}"
            text = text.replace(old, new)
        path.write_text(text, "utf-8")

    # ── its life ──

    def start(self) -> Stack:
        done = subprocess.run(
            [
                *self._as_user,
                str(self.tree / ".venv/bin/python"),
                "run.py",
                "--config",
                "config.toml",
                "auth-code",
                "--code",
                CODE,
            ],
            cwd=self.tree,
            env=self._environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        self._launch(
            "nginx",
            "-p",
            f"{self.folder}",
            "-c",
            f"{self.folder}/main-nginx.conf",
            "-e",
            f"{self.folder}/nginx.error.log",
        )
        self._launch("supervisord", "-c", str(self.folder / "supervisord.conf"))
        eventually(self.all_answer, "nginx and every web answer", 90)
        return self

    def _launch(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as output:
            self._running.append(
                subprocess.Popen(
                    [*self._as_user, str(_program(name)), *arguments],
                    cwd=self.folder,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            )

    def _environment(self) -> dict[str, str]:
        plain = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CTPBEE_BACKEND_", "PYTHON"))
        }
        counter = {
            "COUNTER_TEST_SOCKET": self.fault_address,
            "CTPBEE_BACKEND_COUNTER_CLOCK": "2025-06-05T10:00:00",
        }
        return (
            plain
            | counter
            | {"HOME": str(self.folder), "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}
        )

    def all_answer(self) -> bool:
        assert all(process.poll() is None for process in self._running), self.logs()
        urls = [self.web_url(name) for name in self.webs]
        return all(self._answers(url) for url in [*urls, self.url]) and self.registry.find("host") is not None

    def web_url(self, name: str) -> str:
        """The web behind nginx, asked directly."""
        return f"http://127.0.0.1:{self._first + int(name.rpartition('-')[2])}"

    def _answers(self, url: str) -> bool:
        try:
            return requests.get(f"{url}/healthz", timeout=5, verify=str(self.certificate)).status_code == 200
        except requests.RequestException:
            return False

    def control(self, *arguments: str) -> str:
        """supervisorctl, as the operator types it."""
        command = [
            *self._as_user,
            str(_program("supervisorctl")),
            "-c",
            str(self.folder / "supervisord.conf"),
            *arguments,
        ]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr

    def pid(self, program: str) -> int:
        return int(self.control("pid", program))

    @property
    def is_an_ordinary_users(self) -> bool:
        return os.getuid() != 0 or bool(self._as_user)

    def processes(self) -> list[psutil.Process]:
        """Everything of it that runs."""
        roots = [process.pid for process in self._running] + [entry.pid for entry in self.registry.living()]
        found = {pid: psutil.Process(pid) for pid in roots}
        for root in list(found.values()):
            found |= {child.pid: child for child in root.children(recursive=True)}
        return list(found.values())

    @property
    def plain_url(self) -> str:
        return f"http://localhost:{self._http}"

    def entry(self, name: str) -> Entry | None:
        return self.registry.find(name)

    def faults(self) -> CounterFaults:
        return CounterFaults(self.fault_address)

    def logs(self) -> str:
        paths = [
            path for pattern in ("*.out", "*.log", "tree/data/logs/*") for path in self.folder.glob(pattern)
        ]
        return "\n".join(f"== {path.name}\n{path.read_text('utf-8', 'replace')[-4000:]}" for path in paths)

    def close(self) -> None:
        for process in reversed(self._running):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for entry in self.registry.living():
            with contextlib.suppress(ProcessLookupError):
                os.kill(entry.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin")


def _as_ordinary_user(folder: Path) -> list[str]:
    """What makes the command behind it an ordinary user's; empty where we are one, or where it cannot be
    done.
    """
    if os.getuid() != 0:
        return []
    person = pwd.getpwnam(USER)
    become = ["setpriv", f"--reuid={person.pw_uid}", f"--regid={person.pw_gid}", "--clear-groups", "--"]
    needed = [path for path in (Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()) if _shut(path)]
    if needed:
        view = folder / "view"
        view.mkdir()
        shut = sorted({str(_shut(path)) for path in needed})
        become = [
            "unshare",
            "--mount",
            "sh",
            "-c",
            VIEW,
            "sh",
            str(view),
            *shut,
            "--",
            *map(str, needed),
            "--",
            *become,
        ]
    tried = subprocess.run([*become, f"{sys.prefix}/bin/python", "-c", ""], cwd="/", capture_output=True)
    return become if tried.returncode == 0 else []


def _shut(path: Path) -> Path | None:
    """The topmost directory above `path` that not everybody may walk through."""
    return next(
        (folder for folder in reversed(path.parents) if not folder.stat().st_mode & stat.S_IXOTH), None
    )


def _free_ports(webs: int) -> tuple[int, int, int]:
    """Two free ports, and one ending in 0 after which `webs` ports are free."""
    with contextlib.ExitStack() as held:
        plain = [
            held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(2)
        ]
        return plain[0], plain[1], next(first for first in range(20010, 30000, 10) if _all_free(first, webs))


def _all_free(first: int, webs: int) -> bool:
    try:
        for number in range(webs + 1):
            socket.create_server(("127.0.0.1", first + number)).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def stack(webs: int) -> Iterator[Stack]:
    made = Stack(webs)
    try:
        yield made.start()
    finally:
        made.close()
