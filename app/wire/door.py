"""Where the strategies of an account speak to its gateway: a listener of its own, in a folder that holds
nothing else. Any process.

The folder is all of the run directory that a confined strategy sees, and stays when the gateway starts again.
Who connects here says which strategy it is and proves it with that strategy's secret; what may be asked
here is what a strategy needs, and is asked in its name. The secrets are derived from one key, so that they
are the same for every host and gateway of the data directory.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from app.files import make_once
from app.wire import channel

KEY = "strategies.key"
FOLDER = "strategies-"


def address(run_dir: Path, account: str) -> str:
    """Where the account's gateway listens for strategies."""
    digest = hashlib.sha256(account.encode()).hexdigest()[:12]
    return channel.new_address(run_dir, f"{FOLDER}{digest}/gw.sock")


def folder(address: str) -> Path | None:
    """The folder of such an address; None where it is no file."""
    return Path(address.removeprefix("unix:")).parent if address.startswith("unix:") else None


def secret(run_dir: Path, account: str, name: str) -> str:
    """What proves to the account's gateway that a strategy is the one of that name."""
    return hmac.new(_key(run_dir), f"{account}\0{name}".encode(), hashlib.sha256).hexdigest()


def _key(run_dir: Path) -> bytes:
    """Made by who needs it first, and never twice."""
    path = run_dir / KEY
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    make_once(path, secrets.token_bytes(32))
    return path.read_bytes()
