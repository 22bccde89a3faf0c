"""The contract table against every list of facts at hand; where they differ, the reason stands here."""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from pathlib import Path

import pytest

from app.counter.products import EVERY_MONTH, products
from app.lib import sessions
from app.lib.prices import limits, on_tick
from tests.support.recorded import DATA, Recordings, needs_data, on_each, table

SUSPENDED = {"LR"}  # late indica rice: no trading since January 2025

# Terms that changed after the list was made, or that the list has wrong.
TICK_SINCE = {"ec": 0.5}  # INE: 0.1 until 2026-05-11
KESTREL_WRONG = {
    "SHFE.si": "silicon is GFEX's; listed there too",
    "DCE.bc": "international copper is INE's",
    "DCE.ps": "polysilicon is GFEX's",
    "GFEX.lg": "logs are DCE's",
    "SHFE.bu": "tick 1 since 2022",
    "DCE.fb": "10 cubic metres and 0.5 since the contract of 2020",
    "DCE.l": "tick 1 since 2021",
    "DCE.v": "tick 1 since 2021",
    "CZCE.PR": "bottle flakes: 15 tonnes",
    "CFFEX.TS": "tick 0.002",
    "GFEX.lc": "tick 20 since 2025",
    "CZCE.LR": "suspended",
    "INE.ec": "tick 0.5 since 2026-05-11",
}
MARKET_SIZES = {
    "CZCE": "the list has 0 for older products; the exchange's limit for market orders is 200, as the newer "
    "ones have it",
    "CFFEX": "the list has 0 for far months of the indices; 10 is the near ones'",
}
FEES_DIFFER = {
    "CFFEX.IF": "closing today is ten times the list's",
    "CFFEX.IC": "closing today is ten times the list's",
    "CZCE.AP": "CZCE's settlement parameters of January 2026: 5 a lot, closing today 20; the list has a "
    "tenth of the 5",
    "DCE.eb": "3 a lot; the list's 0.3 is a slip",
    "DCE.pg": "the list has it twice, 6 a lot and a ratio; it is a lot's fee",
}


def test_all_six_exchanges_are_there_and_every_line_is_complete() -> None:
    every = products()
    assert {product.exchange for product in every.values()} == {"CFFEX", "CZCE", "DCE", "GFEX", "INE", "SHFE"}
    for code, product in every.items():
        assert code == product.code
        assert code.isupper() is (product.exchange in ("CZCE", "CFFEX"))
        assert product.name and not product.name.isascii() or code == "TA"
        assert product.multiplier > 0
        assert product.price_tick > 0
        assert 0 < product.limit_ratio < product.margin_ratio + 0.2
        assert 0 < product.margin_ratio < 1
        assert all(fee >= 0 for fee in product.fees)
        assert product.fees.open_by_money + product.fees.open_by_volume > 0
        assert product.fee_source in ("2022", "2020", "notice", "assumed")
        assert 1 <= product.min_limit_volume <= product.max_limit_volume
        assert product.min_market_volume <= product.max_market_volume
        assert product.listings
        assert all(listing.months <= EVERY_MONTH and listing.ahead > 0 for listing in product.listings)
        assert on_tick(product.reference_price, product.price_tick)
        assert product.splits_today is (product.exchange in ("SHFE", "INE"))


def test_every_product_has_its_trading_hours() -> None:
    assert set(products()) == set(sessions._table())


@needs_data
def test_terms_agree_with_what_a_counter_answered_in_2025() -> None:
    answered: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in table("localctp_instruments.csv.gz"):
        if row["ProductClass"] == "1" and row["ProductID"] not in SUSPENDED:
            answered[row["ProductID"]]["exchange"].add(row["ExchangeID"])
            for field, value in row.items():
                answered[row["ProductID"]][field].add(value)
    assert len(answered) > 75
    for code, fields in answered.items():
        product = products()[code]
        assert fields["exchange"] == {product.exchange}
        assert {int(value) for value in fields["VolumeMultiple"]} == {product.multiplier}, code
        assert {float(value) for value in fields["PriceTick"]} == {product.price_tick} or TICK_SINCE[
            code
        ] == product.price_tick, code
        assert {float(value) for value in fields["LongMarginRatio"] | fields["ShortMarginRatio"]} == {
            product.margin_ratio
        }, code
        assert fields["PositionDateType"] == {"1" if product.splits_today else "2"}, code
        # Bonds show both: the contract in its delivery month is not netted.
        assert ("1" if product.max_side else "0") in fields["MaxMarginSideAlgorithm"], code
        assert len(fields["MaxMarginSideAlgorithm"]) == 1 or product.expiry == "fri2", code
        assert {int(value) for value in fields["MaxLimitOrderVolume"]} == {product.max_limit_volume}, code
        assert {int(value) for value in fields["MinLimitOrderVolume"]} == {product.min_limit_volume}, code
        sizes = {int(value) for value in fields["MaxMarketOrderVolume"]}
        if product.exchange == "CZCE":
            assert sizes <= {0, 200}, MARKET_SIZES
            assert product.max_market_volume == 200, MARKET_SIZES
        elif product.exchange == "CFFEX":
            assert max(sizes) == product.max_market_volume, MARKET_SIZES
        else:
            assert sizes == {product.max_market_volume}, code


@needs_data
def test_multiplier_and_tick_agree_with_a_list_of_2026() -> None:
    listed = json.loads((DATA / "instruments" / "kestrel_contract_specs.json").read_text("utf-8"))
    differing = set()
    for exchange, specs in listed.items():
        for code, spec in specs.items() if not exchange.startswith("_") else ():
            product = products().get(code)
            if product is None or (product.exchange, product.multiplier, product.price_tick) != (
                exchange,
                spec["multiplier"],
                spec["price_tick"],
            ):
                differing.add(f"{exchange}.{code}")
    assert differing == set(KESTREL_WRONG)


@needs_data
def test_multiplier_and_tick_agree_with_a_list_of_2022_but_for_what_changed_since() -> None:
    changed = {"TS": "tick 0.002 since", "LR": "suspended"}
    for exchange, specs in json.loads(
        (DATA / "instruments" / "wt_commodities.json").read_text("utf-8")
    ).items():
        for code, spec in specs.items():
            if code in changed:
                continue
            product = products()[code]
            assert (product.exchange, product.multiplier, product.price_tick) == (
                exchange,
                spec["volscale"],
                spec["pricetick"],
            ), code


@needs_data
def test_fees_agree_with_the_list_of_2022_where_that_is_their_source() -> None:
    differing = set()
    for name, fee in json.loads((DATA / "instruments" / "wt_fees.json").read_text("utf-8")).items():
        product = products()[name.partition(".")[2]]
        told = [fee["open"], fee["close"], fee["closetoday"]]
        by_money, by_volume = product.fees[0::2], product.fees[1::2]
        ours, other = (by_volume, by_money) if fee["byvolume"] else (by_money, by_volume)
        if list(ours) != told or any(other):
            differing.add(name)
        else:
            assert product.fee_source == "2022", name
    assert differing == set(FEES_DIFFER)


@needs_data
def test_fees_of_source_2020_agree_with_the_expired_contracts() -> None:
    """A record has commission and margin of one lot; a ratio shows as commission ÷ (margin ÷ margin ratio),
    whatever the price.
    """
    newest: dict[str, dict[str, str]] = {}
    for row in table("tqsdk_expired_futures.csv.gz"):
        if row["expire"] > newest.get(row["product_id"], {"expire": ""})["expire"]:
            newest[row["product_id"]] = row
    checked = 0
    for code, product in products().items():
        if product.fee_source != "2020":
            continue
        commission, margin = float(newest[code]["commission"]), float(newest[code]["margin"])
        if product.fees.open_by_volume:
            assert commission == pytest.approx(product.fees.open_by_volume), code
        else:
            ratio = (
                commission / margin
            )  # of the margin, whose own ratio is a whole number of per cent, or half of one
            margin_ratio = product.fees.open_by_money / ratio
            assert margin_ratio * 200 == pytest.approx(round(margin_ratio * 200), abs=1e-6), code
            assert 0.02 <= margin_ratio <= 0.25, code
        checked += 1
    assert checked > 15


def measured_days(path: Path) -> set[tuple[str, float, float, float]]:
    """(trading day, pre-settlement, upper, lower) as recorded, CTP's columns or wondertrader's."""
    ctp = ("TradingDay", "PreSettlementPrice", "UpperLimitPrice", "LowerLimitPrice")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = csv.reader(file)
        header = next(lines)
        day, *prices = [
            header.index(name)
            for name in (
                ctp if ctp[0] in header else ("trading_date", "pre_settle", "upper_limit", "lower_limit")
            )
        ]
        return {(line[day], *(round(float(line[place]), 4) for place in prices)) for line in lines}  # type: ignore[misc]


@on_each
@pytest.mark.parametrize(("name", "code"), [("rubber", "ru"), ("apple", "AP"), ("index", "IF")])
def test_price_limits_round_as_on_the_recorded_days(recorded: Recordings, name: str, code: str) -> None:
    product, measured = products()[code], measured_days(getattr(recorded, name))
    assert len(measured) == len(recorded.days[name])
    for day, pre_settlement, upper, lower in measured:
        ratios = [per_cent / 100 for per_cent in range(1, 21)]
        assert (upper, lower) in [
            limits(pre_settlement, ratio, product.price_tick, product.exchange) for ratio in ratios
        ], day
