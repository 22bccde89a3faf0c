"""Who is running: one small owner-only file per process in `<data-dir>/run/`. Any process.

`host.json`, `web.json`, `counter.json`, `gateway-<account>.json`, `strategy-<digest>.json`: name, kind, pid,
the process's start time (a pid alone may be somebody else's by now), its address, and for gateways and
strategies who they serve. Written when the process is ready, removed when it ends by itself; what a kill -9
leaves is told from the living by pid and start time.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
import psutil

from app.files import write_whole

PROTOCOL = 3
"""What the processes of one data directory must agree on: raised when a message changes so that the older
side would misread it. A new message, or a new field with a default, is no such change.
"""


def boot_id() -> str:
    """Which run of the machine this is; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def start_ticks(pid: int) -> int:
    """When the process started, in clock ticks since the machine's start; 0 for none, for a zombie, and where
    the system does not say.
    """
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (OSError, ValueError):
        return 0
    return 0 if state in (b"Z", b"X") else int(rest[18])


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One running process. `address` may hold a secret: the file is owner-only."""

    name: str
    kind: str  # host web counter gateway supervisor strategy backtest
    pid: int
    started: float  # psutil create_time
    address: str = ""
    bound: str = ""  # of a web: the settings host and port, the port that it got
    door: str = ""  # where a gateway listens for strategies
    account: str = ""
    interface: str = ""
    brokerid: str = ""
    userid: str = ""
    td_address: str = ""
    md_address: str = ""
    strategy: str = ""  # its name, for those of kind strategy
    version: int = 0  # of its code
    boot: str = ""  # which run of the machine, and
    ticks: int = (
        0  # when in it the process started: unlike `started` not moved when the machine's clock is set. Linux
    )
    protocol: int = PROTOCOL  # that of the channel

    @property
    def alive(self) -> bool:
        """Whether this very process still runs (zombies do not)."""
        if self.boot:
            return self.boot == boot_id() and self.ticks == start_ticks(self.pid)
        try:
            process = psutil.Process(self.pid)
            return (
                abs(process.create_time() - self.started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return False


class Registry:
    """The entries below one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.run_dir = data_dir / "run"

    def register(self, *, name: str, kind: str, address: str = "", **who: Any) -> Entry:
        """Write this process's entry, whole or not at all."""
        self.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        entry = Entry(
            name=name,
            kind=kind,
            pid=os.getpid(),
            started=psutil.Process().create_time(),
            address=address,
            **who,
        )
        ticks = start_ticks(entry.pid)
        if ticks:
            entry = msgspec.structs.replace(entry, boot=boot_id(), ticks=ticks)
        return self.write(entry)

    def write(self, entry: Entry) -> Entry:
        """Write an entry, of this process or of one that cannot do so itself, whole or not at all."""
        write_whole(self.run_dir / f"{entry.name}.json", msgspec.json.encode(entry))
        return entry

    def unregister(self, name: str) -> None:
        """Remove this process's own entry; somebody else's is left alone."""
        entry = self.find(name, only_living=False)
        if entry is not None and entry.pid == os.getpid():
            (self.run_dir / f"{name}.json").unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Remove the entry of a process that has ended."""
        (self.run_dir / f"{name}.json").unlink(missing_ok=True)

    def find(self, name: str, only_living: bool = True) -> Entry | None:
        """The entry called `name`, if its process lives."""
        try:
            entry = msgspec.json.decode((self.run_dir / f"{name}.json").read_bytes(), type=Entry)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return entry if not only_living or entry.alive else None

    def living(self, kind: str = "") -> list[Entry]:
        """All living processes of this data directory, or those of one kind."""
        entries = [self.find(name) for name in self._names()]
        return [entry for entry in entries if entry is not None and kind in ("", entry.kind)]

    def killed(self, kind: str) -> list[Entry]:
        """Those of that kind that could not remove their entries: somebody killed them."""
        entries = [self.find(name, only_living=False) for name in self._names()]
        return [entry for entry in entries if entry is not None and entry.kind == kind and not entry.alive]

    def forget_the_dead(self) -> None:
        """Remove what a kill -9 left."""
        for name in self._names():
            if self.find(name) is None:
                self.remove(name)

    def _names(self) -> list[str]:
        return sorted(path.stem for path in self.run_dir.glob("*.json")) if self.run_dir.is_dir() else []


def gateway_of(account: str) -> str:
    """The registry's name of an account's gateway."""
    return f"gateway-{account}"


def strategy_name(account: str, name: str) -> str:
    """The registry's name of an account's strategy: whatever characters the trader gave it."""
    return "strategy-" + hashlib.sha256(f"{account}\0{name}".encode()).hexdigest()[:16]
