"""Contracts alive on a day, against what a counter listed in March 2025 and against 2,464 contracts that have
expired.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.counter.contracts import code_of, contract_named, contract_of, expiry_of, listed_on, product_code_of
from app.counter.products import products
from app.lib.calendar import compact, is_trading_day, next_trading_day, previous_trading_day
from tests.support.recorded import needs_data, table

SNAPSHOT = date(2025, 3, 3)  # the day of the recorded list: its newest contracts opened on it

OPENED_OTHERWISE = {
    "PK505": "peanuts got their month of May later than the others",
    "lg2511": "logs began with three contracts at once",
    "si2503": "the record says May 2024; the rule is a year",
    "si2504": "the record says May 2024; the rule is a year",
    "bb2509": "plywood was dormant until January 2025",
    "bb2511": "plywood was dormant until January 2025",
    "bb2601": "plywood was dormant until January 2025",
}
PLYWOOD_DORMANT = {"bb2505", "bb2506", "bb2507", "bb2508", "bb2510", "bb2512", "bb2602"}


def on(day: str) -> dict[str, date]:
    return {contract.instrument: contract.last_day for contract in listed_on(date.fromisoformat(day))}


@pytest.mark.parametrize(
    ("day", "product", "codes"),
    [
        (
            "2025-06-09",
            "rb",
            "rb2506 rb2507 rb2508 rb2509 rb2510 rb2511 rb2512 rb2601 rb2602 rb2603 rb2604 rb2605",
        ),
        (
            "2025-06-17",
            "rb",
            "rb2507 rb2508 rb2509 rb2510 rb2511 rb2512 rb2601 rb2602 rb2603 rb2604 rb2605 rb2606",
        ),
        ("2025-06-20", "IF", "IF2506 IF2507 IF2509 IF2512"),  # its third Friday
        ("2025-06-23", "IF", "IF2507 IF2508 IF2509 IF2512"),
        ("2021-01-04", "IF", "IF2101 IF2102 IF2103 IF2106"),
        ("2025-06-09", "T", "T2506 T2509 T2512"),
        ("2025-06-09", "AP", "AP510 AP511 AP512 AP601 AP603 AP604 AP605"),
        ("2025-06-09", "ru", "ru2506 ru2507 ru2508 ru2509 ru2510 ru2511 ru2601 ru2603 ru2604 ru2605"),
        ("2025-06-09", "au", "au2506 au2507 au2508 au2510 au2512 au2602 au2604 au2606"),
        ("2025-06-10", "ad", "ad2511 ad2512 ad2601 ad2602 ad2603 ad2604 ad2605"),  # its first day
        ("2025-06-09", "ad", ""),
        ("2025-06-09", "ec", "ec2506 ec2508 ec2510 ec2512 ec2602 ec2604"),
        # INE's notice: from 2026-02-10 the next one to six months without February, then two quarter months;
        # 2603 not any more
        ("2026-02-10", "ec", "ec2604 ec2605 ec2606 ec2607 ec2608 ec2609 ec2610 ec2612"),
        ("2026-03-30", "ec", "ec2604 ec2605 ec2606 ec2607 ec2608 ec2609 ec2610 ec2612"),
        (
            "2026-03-31",
            "ec",
            "ec2604 ec2605 ec2606 ec2607 ec2608 ec2609 ec2610 ec2612 ec2703",
        ),  # the notice names this day
        ("2026-11-30", "ec", "ec2611 ec2612 ec2701 ec2703 ec2704 ec2706 ec2709"),
        ("2026-12-01", "ec", "ec2612 ec2701 ec2703 ec2704 ec2705 ec2706 ec2709"),
    ],
)
def test_the_months_of_a_product(day: str, product: str, codes: str) -> None:
    assert [code for code in on(day) if product_code_of(code) == product] == codes.split()


@pytest.mark.parametrize(
    ("code", "day", "last"),
    [
        ("sc2506", "2025-05-20", "2025-05-30"),  # the eve of a holiday
        ("rb2506", "2025-06-09", "2025-06-16"),  # the 15th is a Sunday
        ("IF2506", "2025-06-09", "2025-06-20"),
        ("T2506", "2025-06-09", "2025-06-13"),
        ("AP010", "2020-08-03", "2020-10-22"),
        ("ru1901", "2018-10-08", "2019-01-15"),
        ("rb2401", "2023-09-25", "2024-01-15"),
        ("ec2602", "2025-06-09", "2026-02-09"),  # the last Monday that trades: the Spring Festival takes two
        ("jd2506", "2025-06-09", "2025-06-25"),
        ("ag2602", "2025-06-09", "2026-02-24"),
    ],
)
def test_the_last_day_of_a_contract(code: str, day: str, last: str) -> None:
    assert on(day)[code] == date.fromisoformat(last)
    assert code not in on(next_trading_day(date.fromisoformat(last)).isoformat())
    assert code in on(last)


def test_sc2506_is_gone_after_the_eve_of_the_dragon_boat_festival() -> None:
    assert "sc2506" in on("2025-05-30")
    assert "sc2506" not in on("2025-06-03")


def test_czce_codes_repeat_every_ten_years() -> None:
    twenty, thirty = contract_named("AP010", date(2020, 8, 3)), contract_named("AP010", date(2030, 3, 4))
    assert twenty is not None
    assert thirty is not None
    assert (twenty.year, thirty.year) == (2020, 2030)
    assert code_of(products()["AP"], 2020, 10) == code_of(products()["AP"], 2030, 10) == "AP010"
    gone = contract_named("AP010", date(2021, 1, 4))
    assert gone is not None
    assert gone.year == 2020


@pytest.mark.parametrize("code", ["", "rb", "rb25", "rb2513", "rb2500", "zz2501", "AP2501", "rb501", "2501"])
def test_what_is_no_code_names_no_contract(code: str) -> None:
    assert contract_named(code, date(2025, 6, 9)) is None


def test_a_day_without_trading_lists_what_the_next_trading_day_does() -> None:
    assert on("2025-06-07") == on("2025-06-09")


@settings(max_examples=25, deadline=None)
@given(st.dates(date(2018, 1, 2), date(2026, 11, 30)))
def test_the_list_of_a_day_holds_each_contract_once_and_only_what_is_alive(day: date) -> None:
    trading_day = day if is_trading_day(day) else next_trading_day(day)
    contracts = listed_on(day)
    codes = [contract.instrument for contract in contracts]
    assert len(codes) == len(set(codes))
    for contract in contracts:
        assert contract.open_day <= trading_day <= contract.last_day
        assert is_trading_day(contract.last_day)
        assert contract_named(contract.instrument, trading_day) == contract
        first, last = contract.delivery
        assert contract.last_day <= first <= last


@pytest.mark.parametrize(
    ("instrument", "last_day"),
    [
        ("m2701", "2027-01-15"),  # the tenth trading day
        ("SR701", "2027-01-15"),
        ("TA701", "2027-01-15"),
        ("i2701", "2027-01-15"),
        ("ZC701", "2027-01-08"),  # the fifth
        ("rb2701", "2027-01-15"),
        ("IF2701", "2027-01-15"),
        ("sc2702", "2027-01-29"),
        ("m2702", "2027-02-22"),
        ("m2705", "2027-05-19"),
        ("rb2705", "2027-05-17"),
    ],
)
def test_the_last_days_of_2027_count_its_holidays_out(instrument: str, last_day: str) -> None:
    contract = contract_named(instrument, date(2026, 11, 30))
    assert contract is not None
    assert contract.last_day == date.fromisoformat(last_day)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(products())), st.dates(date(2019, 1, 1), date(2026, 6, 1)))
def test_a_new_contract_appears_when_the_one_before_it_has_gone(code: str, day: date) -> None:
    product = products()[code]
    month = min(product.listings[0].months, key=lambda number: abs(number - day.month))
    contract = contract_of(product, day.year, month)
    before = previous_trading_day(contract.open_day)
    if product.first_month and contract.year * 100 + contract.month < product.first_month:
        return
    if contract.open_day > contract.last_day:
        return
    assert contract.instrument in {other.instrument for other in listed_on(contract.open_day)}
    assert contract not in listed_on(before)


@needs_data
def test_the_list_agrees_with_a_counters_of_march_2025() -> None:
    """Last days of 2026 excepted: the holidays of 2026 were not known then, theirs may differ by some
    days.
    """
    theirs = {
        row["InstrumentID"]: row for row in table("localctp_instruments.csv.gz") if row["ProductClass"] == "1"
    }
    theirs = {code: row for code, row in theirs.items() if row["ProductID"] != "LR"}
    ours = {contract.instrument: contract for contract in listed_on(SNAPSHOT)}
    assert set(theirs) - set(ours) == set()
    assert set(ours) - set(theirs) == PLYWOOD_DORMANT
    differing = set()
    for code, row in theirs.items():
        contract = ours[code]
        assert (contract.year, contract.month) == (int(row["DeliveryYear"]), int(row["DeliveryMonth"]))
        if compact(contract.open_day) != row["OpenDate"]:
            differing.add(code)
        if row["ExpireDate"] < "20260101":
            assert compact(contract.last_day) == row["ExpireDate"], code
        else:
            assert abs(contract.last_day - date.fromisoformat(row["ExpireDate"])) <= timedelta(days=14), code
    assert differing == set(OPENED_OTHERWISE)


@needs_data
def test_expiry_agrees_with_the_contracts_that_have_expired() -> None:
    checked = 0
    for row in table("tqsdk_expired_futures.csv.gz"):
        product = products().get(row["product_id"])
        if product is None:
            assert row["product_id"] == "LR"
            continue
        year, month = int(float(row["delivery_year"])), int(float(row["delivery_month"]))
        ours, theirs = expiry_of(product, year, month), date.fromisoformat(row["expire"])
        if product.code == "sc" and theirs < date(2020, 2, 15):
            assert ours < theirs <= next_trading_day(ours), row[
                "instrument_id"
            ]  # the record has the first of the month, or the day after
        elif product.code == "jd" and theirs < date(2017, 3, 1):
            assert ours >= theirs  # eggs expired on the tenth trading day then
        elif row["instrument_id"] in ("DCE.eg2001", "DCE.jd2001", "SHFE.fu2002"):
            assert abs(ours - theirs) <= timedelta(days=8)  # 2020-01-31 became a holiday within that month
        else:
            assert ours == theirs, row["instrument_id"]
        checked += 1
    assert checked == 2464
