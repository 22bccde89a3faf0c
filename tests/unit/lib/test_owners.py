"""Whose lots the account's are: own first, then nobody's, then the others'; and the owners' always add up to
the account's.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from app.lib.book import Book, Fees, Fill, Lot, Terms
from app.lib.owners import NOBODY, Earned, OwnedLot, Owners

DAY, NEXT = "20250606", "20250609"
FEES = Fees(0, 2, 0, 3, 0, 5)
CONTRACTS = {
    "rb2510": Terms("rb2510", "SHFE", "rb", 10, 1, 0.1, 0.1, True, True, FEES),
    "c2509": Terms("c2509", "DCE", "c", 10, 1, 0.1, 0.1, False, False, FEES),
}


def fill(
    trade_id: int,
    side: str,
    offset: str,
    volume: int,
    price: float = 3000.0,
    symbol: str = "rb2510",
    day: str = DAY,
) -> Fill:
    return Fill(
        day, CONTRACTS[symbol].exchange, str(trade_id), side, "", symbol, offset, price, volume, "09:30:00"
    )


def lot(
    owner: str, volume: int, trade_id: str = "1", open_date: str = "20250605", price: float = 2900.0
) -> OwnedLot:
    return OwnedLot(owner, "rb2510", "long", open_date, trade_id, volume, price)


def owners(*lots: OwnedLot) -> Owners:
    return Owners(CONTRACTS.get, DAY, lots)


def volumes(made: Owners) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for one in made.lots():
        counted[one.owner] += one.volume
    return dict(counted)


def test_what_a_strategy_opens_is_its_own_and_what_it_closes_its_own_first() -> None:
    made = owners()
    made.apply(fill(1, "buy", "open", 3, 3000.0), NOBODY)
    made.apply(fill(2, "buy", "open", 2, 3010.0), "a")
    made.apply(fill(3, "sell", "closetoday", 2, 3020.0), "a")
    assert volumes(made) == {NOBODY: 3}
    assert made.earned["a"] == Earned(Decimal("200.00"), Decimal("14.00"))
    assert made.earned[NOBODY] == Earned(Decimal(0), Decimal("6.00"))


def test_a_close_beyond_its_own_takes_nobodys_lots_before_another_strategys() -> None:
    made = owners(lot("b", 2, "1"), lot(NOBODY, 1, "2"), lot("a", 1, "3"))
    made.apply(fill(9, "sell", "close", 3, 2950.0), "a")
    assert volumes(made) == {"b": 1}
    assert made.earned["a"] == Earned(Decimal("500.00"), Decimal("9.00")), (
        "it pays for all three and earns what its own lot did"
    )
    assert made.earned["b"].close_profit == made.earned[NOBODY].close_profit == Decimal("500.00")


def test_todays_and_history_are_apart_where_the_exchange_has_them_apart() -> None:
    made = owners(lot("a", 1))
    made.apply(fill(1, "buy", "open", 1), "a")
    made.apply(fill(2, "sell", "closetoday", 1), "a")
    assert [one.open_date for one in made.lots("a")] == ["20250605"]
    made.apply(fill(3, "sell", "closeyesterday", 1), "a")
    assert made.lots() == []


def test_a_forced_close_takes_history_first_and_then_todays_where_they_are_apart() -> None:
    made = owners(lot("a", 2))
    made.apply(fill(1, "buy", "open", 3), "b")
    made.apply(fill(2, "sell", "forced", 3), NOBODY)
    assert volumes(made) == {"b": 2}
    made.apply(fill(3, "sell", "forced", 2), NOBODY)
    assert volumes(made) == {}


def test_the_same_fill_counts_once_and_another_days_not_at_all() -> None:
    made = owners()
    assert made.apply(fill(1, "buy", "open", 1), "a")
    assert not made.apply(fill(1, "buy", "open", 1), "a")
    assert not made.apply(fill(2, "buy", "open", 1, day=NEXT), "a")
    assert volumes(made) == {"a": 1}


def test_a_close_that_is_heard_before_its_open_waits_for_it() -> None:
    made = owners()
    made.apply(fill(2, "sell", "closetoday", 1, 3005.0), "a")
    assert made.lots() == []
    made.apply(fill(1, "buy", "open", 1, 3000.0), "a")
    assert made.lots() == []
    assert made.earned["a"].close_profit == Decimal("50.00")


def test_what_the_account_has_not_is_taken_from_nobody_before_a_strategy_loses_it() -> None:
    made = owners(lot(NOBODY, 1, "1"), lot("a", 3, "2"))
    assert made.fit([Lot("rb2510", "long", "20250605", "2", 2, 2900.0, 2900.0)]) == [("a", "rb2510", 1)]
    assert volumes(made) == {"a": 2}


def test_what_no_strategy_opened_is_nobodys() -> None:
    made = owners(lot("a", 1))
    assert made.fit([Lot("rb2510", "long", "20250605", "7", 4, 2880.0, 2900.0)]) == []
    assert volumes(made) == {"a": 1, NOBODY: 3}


def test_floating_profit_is_by_trade_and_nothing_without_a_price() -> None:
    made = owners(lot("a", 2, price=2900.0))
    assert made.floating(made.lots("a")[0], 2910.0) == Decimal("200.00")
    assert made.floating(made.lots("a")[0], 0.0) == 0


step = st.tuples(
    st.sampled_from(sorted(CONTRACTS)),
    st.sampled_from(["buy", "sell"]),
    st.sampled_from(["open", "close", "closetoday", "closeyesterday"]),
    st.integers(1, 5),
    st.sampled_from([NOBODY, "a", "b"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(step, max_size=15), min_size=1, max_size=3))
def test_the_owners_lots_add_up_to_the_accounts_after_every_fill_and_every_settlement(
    days: list[list[tuple[str, str, str, int, str]]],
) -> None:
    day, number = 20250602, 0
    book = Book(CONTRACTS.__getitem__, str(day), 1_000_000)
    made = Owners(CONTRACTS.get, str(day))
    for script in days:
        for symbol, side, offset, volume, owner in script:
            number += 1
            one = fill(number, side, offset, volume, 3000.0 + number, symbol, str(day))
            if offset != "open":  # a counter takes no close beyond what is there
                closable = book.closable(symbol, one.direction)
                splits = CONTRACTS[symbol].splits_today
                reach = (
                    (closable.today if offset == "closetoday" else closable.yesterday)
                    if splits
                    else sum(closable)
                )
                if reach < volume:
                    continue
            book.apply_fill(one)
            made.apply(one, owner)
            assert account_volumes(book.open_lots(), str(day)) == account_volumes(made.lots(), str(day))
        assert made.fit(book.open_lots()) == [], "there was nothing to fit"
        day += 1
        book = book.settle({}, str(day))
        made = Owners(CONTRACTS.get, str(day), made.lots(), made.earned)
    assert all(one.volume > 0 for one in made.lots())


def account_volumes(lots: list[Lot] | list[OwnedLot], day: str) -> Counter[tuple[str, str, bool]]:
    counted: Counter[tuple[str, str, bool]] = Counter()
    for one in lots:
        counted[one.symbol, one.direction, CONTRACTS[one.symbol].splits_today and one.open_date == day] += (
            one.volume
        )
    return counted
