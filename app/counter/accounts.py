"""The accounts that live in the built-in counter, with their orders and sessions, and how passwords are kept.
Counter process, core thread.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from app.counter.state import StoredAccount
from app.lib.book import Book, Lot
from app.wire import frames as f

WAITING = "b"  # a conditional order whose price has not come
FINISHED = {"0", "5", "c"}
COST = {"n": 2**13, "r": 8, "p": 1}  # of a password's hash; with another no kept password fits any more


@dataclass(slots=True)
class Session:
    """A logged-in connection."""

    front: str  # td md
    broker: str
    user: str
    number: int
    account: PaperAccount | None  # None on md
    native: bool = False  # CTP's library, see frames.ReqUserLogin
    last_ref: int = 0
    subscribed: set[str] = field(default_factory=set)
    asked: deque[float] = field(default_factory=deque)  # when its last orders and cancels came, seconds


@dataclass(slots=True)
class Order:
    """An order that the counter accepted. `row` is replaced, never changed: frames on their way out hold
    older ones.
    """

    place: int
    account: PaperAccount
    row: f.OrderField
    freeze_price: float
    number: int = 0  # the exchange's; 0 while it has not got the order
    from_auction: bool = False
    cancelling: bool = False
    id: str = field(init=False)  # its triple, which is the same in all of its rows

    def __post_init__(self) -> None:
        self.id = f"{self.row.FrontID}_{self.row.SessionID}_{self.row.OrderRef}"

    @property
    def working(self) -> bool:
        return self.row.OrderStatus not in FINISHED

    @property
    def freezes(self) -> bool:
        return self.working and self.row.OrderStatus != WAITING


class Confirmation(NamedTuple):
    """When the settlement was confirmed last; empty: never."""

    trading_day: str = ""
    date: str = ""
    time: str = ""


@dataclass(slots=True)
class PaperAccount:
    """An account of the built-in counter in the current trading day."""

    stored: StoredAccount
    book: Book
    lots: list[Lot]  # at the start of the day
    confirmed: Confirmation
    orders: dict[tuple[int, int, str], Order] = field(default_factory=dict)
    working: dict[str, dict[int, Order]] = field(
        default_factory=dict
    )  # those of `orders` that still work, by contract and place
    trades: list[f.TradeField] = field(default_factory=list)
    refusals: list[f.Frame] = field(
        default_factory=list
    )  # of orders and cancels of the day, as CTP's private flow keeps them


def hash_password(password: str) -> str:
    """`salt$hash`, scrypt. Cheap enough (about 20 ms) not to hold up other accounts' orders."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${_scrypt(password, salt).hex()}"


def password_fits(password: str, stored: str) -> bool:
    salt, _, digest = stored.partition("$")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)), bytes.fromhex(digest))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, **COST)
