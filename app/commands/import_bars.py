"""`run.py import-bars`: files of bars into an account's store. A process of its own, for as long as it takes.

One process writes to an account's file: while the account's gateway lives the bars go through it, else they
are written here, under the lock that keeps a gateway from being started meanwhile. The same file again only
replaces what it has brought.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from app.lib.errors import AppError, GatewayDown, NotFound
from app.model import open_store
from app.model.store import Bar, StoreFailed
from app.process.child import AlreadyRunning, Lock
from app.settings import Settings
from app.wire.messages import SaveBars
from app.wire.registry import Registry
from app.wire.rpc import RpcClient

CHUNK = 1000
"""Bars in one write: orders that the gateway has to write down wait no longer than for these."""

# rows on their way to MongoDB: the spool has room for no more than a million bars, and the market's must find
# it
MOST_WAITING = 50_000
STALL_LIMIT = 60.0  # seconds without one of them arriving
SHIPPING_LIMIT = 600.0  # seconds

Save = Callable[[str, list[Bar]], object]


class CannotSave(AppError):
    """The store does not take the bars: mend what the message says and import again."""

    default_code = "CANNOT_SAVE"


def find_account(settings: Settings, account: str) -> str:
    """The account to write to: the one named, or the only one there is. Raises NotFound."""
    folder = settings.data_dir / "accounts"
    known = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not account and len(known) == 1:
        return known[0]
    if account and account in known:
        return account
    there = f"已有：{'、'.join(known)}" if known else "请先登录一次"
    if account:
        raise NotFound(f"没有账户 {account}；{there}", code="NO_SUCH_ACCOUNT")
    raise NotFound(f"请用 --account 或 --brokerid、--userid 指明账户；{there}", code="NO_SUCH_ACCOUNT")


@contextmanager
def account_writer(settings: Settings, account: str) -> Iterator[Save]:
    """How to save 1-minute bars of the account. Raises GatewayDown while its gateway is just starting, or
    when it is lost.
    """
    name = f"gateway-{account}"
    entry = Registry(settings.data_dir).find(name)
    if entry is not None:
        try:
            client = RpcClient(entry.address)
        except OSError as error:
            raise GatewayDown(f"连不上账户的网关：{error}") from None
        with contextlib.closing(client):

            def save_there(local_symbol: str, bars: list[Bar]) -> int:
                return client.call(SaveBars(local_symbol, bars), 30.0).waiting

            yield lambda local_symbol, bars: _wait_for_room(
                save_there(local_symbol, bars), lambda: save_there(local_symbol, [])
            )
        return
    try:
        lock = Lock(settings.data_dir, name)
    except AlreadyRunning:
        raise GatewayDown("账户的网关正在启动，请稍后再导入") from None
    with contextlib.closing(lock), contextlib.closing(open_store(settings, account)) as store:

        def save_here(local_symbol: str, bars: list[Bar]) -> None:
            store.save_bars(local_symbol, "1m", bars)
            _wait_for_room(waiting(), waiting)

        def waiting() -> int:
            return store.state().waiting

        try:
            yield save_here
            store.flush(
                SHIPPING_LIMIT
            )  # what is not at MongoDB by then leaves with the account's next gateway
        except StoreFailed as error:
            raise CannotSave(str(error)) from None


def _wait_for_room(waiting: int, ask: Callable[[], int]) -> None:
    """Until not too many rows wait for MongoDB. Raises CannotSave when none arrives any more."""
    least, since = waiting, time.monotonic()
    pause = threading.Event()
    while waiting > MOST_WAITING:
        if time.monotonic() - since > STALL_LIMIT:
            raise CannotSave(
                f"MongoDB 没有收下：{waiting} 行在等。已写入的不会丢，MongoDB 恢复后再执行即接着导入"
            )
        pause.wait(0.1)
        waiting = ask()
        if waiting < least:
            least, since = waiting, time.monotonic()


def save_in_chunks(save: Save, local_symbol: str, bars: Sequence[Bar]) -> Iterator[int]:
    """Saves, and tells how many after each chunk."""
    for at in range(0, len(bars), CHUNK):
        chunk = list(bars[at : at + CHUNK])
        save(local_symbol, chunk)
        yield len(chunk)
