"""A minimal Debian 12 with an ordinary user, for what a new user does first. It is made by debootstrap, needs
root and Debian's mirror, and is told what it needs to know of this machine's network.

It lives in namespaces of its own: its mounts are not seen outside, and mounts and processes end with it,
whatever becomes of us.
"""

from __future__ import annotations

import datetime
import os
import pty
import re
import shutil
import subprocess
import termios
import threading
from pathlib import Path

from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
CACHE = ROOT / "build"
KEPT_DAYS = 7
USER = "demo"

CERTIFICATES = (
    *("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"),
    "NODE_EXTRA_CA_CERTS",
)
HANDED_ON = (
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_DEFAULT_TIMEOUT", "npm_config_registry"),
)
# PID 1 of the system: ends, and all with it, when we do and the pipe is closed.
HOLDER = """
set -e
mount -t proc proc "$1/proc"
mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$1/dev/pts"
mount --bind "$1/dev/pts/ptmx" "$1/dev/ptmx"
echo mounted
exec cat
"""


class Unavailable(Exception):
    """There can be no bare system on this machine; the message says why."""


def base_system() -> Path:
    """The tarball of the base system; a new one each week."""
    today = datetime.date.today()
    for kept in CACHE.glob("debian-12-*.tar"):
        if today - datetime.date.fromisoformat(kept.stem[-10:]) < datetime.timedelta(KEPT_DAYS):
            return kept
        kept.unlink()
    CACHE.mkdir(exist_ok=True)
    folder, unfinished = CACHE / "debian-12", CACHE / "debian-12.unfinished"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        made = _run("debootstrap", "--variant=minbase", "bookworm", str(folder))
        if made.returncode:
            raise Unavailable(f"debootstrap: {made.stdout.strip()[-300:]}")
        _run("tar", "-C", str(folder), "-cf", str(unfinished), ".").check_returncode()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return unfinished.rename(CACHE / f"debian-12-{today}.tar")


class BareSystem:
    """To be closed in any case; `open` raises Unavailable where there can be none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home" / USER
        self.environment = {"TERM": "xterm"}
        self._terminals: list[Terminal] = []

    def open(self) -> None:
        if not hasattr(os, "getuid") or os.getuid() != 0:
            raise Unavailable("needs root")
        for program in ("debootstrap", "unshare", "nsenter", "setsid"):
            if shutil.which(program) is None:
                raise Unavailable(f"needs {program}")
        if _run("unshare", "--mount", "--pid", "--fork", "true").returncode:
            raise Unavailable("namespaces are not allowed here")
        tarball = base_system()
        try:
            self.folder.mkdir()
            _run("tar", "-C", str(self.folder), "-xpf", str(tarball)).check_returncode()
            self._take_settings()
            self._start()
            self.root(f"useradd --create-home --shell /bin/bash {USER}")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if hasattr(self, "_holder"):
            self._holder.communicate()  # closes its pipe
        for terminal in self._terminals:
            terminal.close()
        assert f" {self.folder}/" not in Path("/proc/self/mountinfo").read_text("utf-8"), "mounts are left"
        shutil.rmtree(self.folder, ignore_errors=True)

    def root(self, script: str) -> str:
        """What it prints; fails with it unless it exits with 0."""
        return self._succeed("root", script)

    def user(self, script: str) -> str:
        return self._succeed(USER, script)

    def terminal(self, script: str) -> Terminal:
        """What the user types into a terminal of his own."""
        made = Terminal(self._command(USER, script))
        self._terminals.append(made)
        return made

    def take_repository(self, source: Path) -> str:
        """Copies the repository's last commit; the address that the user clones from."""
        copy = self.folder / "srv" / "ctpbee_backend.git"
        _run("git", "clone", "--bare", str(source), str(copy)).check_returncode()
        self.root(f"chown -R {USER}: /srv")  # git does not trust another's repository
        return "/srv/ctpbee_backend.git"

    def _take_settings(self) -> None:
        """How this machine reaches the network: names, certificates, proxies and mirrors."""
        apt = [
            path for path in Path("/etc/apt/apt.conf.d").glob("*") if "Acquire::" in path.read_text("utf-8")
        ]
        for path in (Path("/etc/resolv.conf"), Path("/etc/hosts"), Path("/etc/pip.conf"), *apt):
            if path.exists():
                shutil.copyfile(path, self.folder / path.relative_to("/"))
        self.environment |= {name: os.environ[name] for name in HANDED_ON if name in os.environ}
        for name in CERTIFICATES:
            if name in os.environ:
                shutil.copyfile(os.environ[name], self.folder / "etc" / f"{name}.crt")
                self.environment[name] = f"/etc/{name}.crt"

    def _start(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "sh", "-c", HOLDER, "sh", str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "mounted\n":
            raise Unavailable("cannot mount here")

    def _command(self, user: str, script: str) -> list[str]:
        home = "/root" if user == "root" else f"/home/{user}"
        path = "/usr/local/bin:/usr/bin:/bin" + (":/usr/local/sbin:/usr/sbin:/sbin" if user == "root" else "")
        values = self.environment | {"HOME": home, "USER": user, "PATH": path}
        process = f"/proc/{self._holder.pid}/ns"
        return [
            *("nsenter", f"--mount={process}/mnt", f"--pid={process}/pid_for_children"),
            *("chroot", f"--userspec={user}:{user}", str(self.folder)),
            *("env", "-i", *(f"{name}={value}" for name, value in values.items())),
            *("bash", "-c", f"cd && {script}"),
        ]

    def _succeed(self, user: str, script: str) -> str:
        done = _run(*self._command(user, script))
        assert done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout


class Terminal:
    """A pseudo-terminal with one command in it; what it prints is read all the time. It is of this
    machine: inside, `tty` does not know its name.
    """

    def __init__(self, command: list[str]) -> None:
        self.printed = ""
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command], stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, pattern: str, seconds: float) -> re.Match[str]:
        def found() -> re.Match[str] | None:
            match = re.search(pattern, self.printed)
            assert match or self._process.poll() is None, f"ended without {pattern}:\n{self.printed}"
            return match

        return eventually(found, f"{pattern} is printed", seconds)

    def wait(self, seconds: float) -> int:
        """The exit code."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {seconds} s:\n{self.printed[-20000:]}") from None
        self._reader.join(30)
        return code

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def close(self) -> None:
        self.wait(30)  # its system is gone
        os.close(self._master)

    def _read(self) -> None:
        kept = b""
        while True:
            try:
                kept += os.read(self._master, 65536)
            except OSError:  # nobody has it open any more
                return
            self.printed = kept.decode("utf-8", "replace").replace("\r\n", "\n")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    """Without our terminal, and with both outputs in one."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
