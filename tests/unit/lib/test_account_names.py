"""What accounts are called in files, rooms and tokens."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from app.lib.account_names import account_key, old_account_key

COLLIDING = (
    "trader.name.of.24.chars.aaaa11v0",
    "trader.name.of.24.chars.aaaa53ho",
)  # their first 40 bits are the same

NAMES = st.one_of(st.text(max_size=40), st.from_regex(r"[A-Za-z0-9_-]{1,30}", fullmatch=True))
TRIPLES = st.tuples(NAMES, NAMES, NAMES)


@given(TRIPLES, TRIPLES)
def test_two_accounts_have_two_names_which_any_file_system_takes(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (account_key(*one) == account_key(*other)) == (one == other)
    key = account_key(*one)
    assert re.fullmatch(r"[A-Za-z0-9_-]{2,120}", key)
    assert re.search(r"-[0-9a-f]{32}$", key) or key == "-".join(one)


def test_names_that_agree_in_40_bits_are_two_accounts() -> None:
    one, other = (("sim", "9999", user) for user in COLLIDING)
    assert old_account_key(*one) == old_account_key(*other)
    assert account_key(*one) != account_key(*other)
    assert account_key("sim", "9999", "demo") == old_account_key("sim", "9999", "demo") == "sim-9999-demo"
