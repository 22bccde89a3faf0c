"""The exchange's matching: price, then time, at the resting side's price, in whole ticks."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.counter.matching import Deal, OrderBook, Quote, Resting


def book(*quotes: Quote) -> OrderBook:
    made = OrderBook()
    for quote in quotes:
        assert made.on_quote(quote) == []
    return made


QUOTE = Quote(bid=99, bid_volume=5, ask=101, ask_volume=3, last=100)


def test_a_marketable_order_takes_the_quoted_depth_at_the_quoted_price_and_the_rest_of_it_rests():
    orders = book(QUOTE)
    assert orders.insert(1, "buy", 105, 10) == [Deal(101, 3, 1, None)]
    assert orders.remaining(1) == 7


def test_depth_that_was_taken_stays_taken_until_the_next_snapshot():
    orders = book(QUOTE)
    assert orders.insert(1, "buy", 101, 2) == [Deal(101, 2, 1, None)]
    assert orders.insert(2, "buy", 101, 2) == [Deal(101, 1, 2, None)]
    assert orders.insert(3, "buy", 101, 1) == []
    orders = book(QUOTE)
    orders.insert(1, "buy", 101, 3, rests=False)
    orders.on_quote(QUOTE)
    assert orders.insert(2, "buy", 101, 3) == [Deal(101, 3, 2, None)]


def test_an_order_below_the_ask_rests_and_is_filled_at_its_own_price_when_the_ask_comes_down():
    orders = book(QUOTE)
    assert orders.insert(1, "buy", 100, 4) == []
    assert orders.on_quote(replace(QUOTE, ask=98, ask_volume=3, bid=97)) == [Deal(100, 3, 1, None)]
    assert orders.remaining(1) == 1


def test_a_sell_is_filled_at_its_own_price_when_the_bid_comes_up():
    orders = book(QUOTE)
    orders.insert(1, "sell", 101, 4)
    assert orders.on_quote(Quote(102, 9, 103, 1, 102)) == [Deal(101, 4, None, 1)]


def test_trades_printed_beyond_the_price_fill_up_to_the_volume_printed():
    orders = book(QUOTE)
    orders.insert(1, "buy", 100, 4)
    assert orders.on_quote(replace(QUOTE, last=99, traded=3)) == [Deal(100, 3, 1, None)]
    assert orders.on_quote(replace(QUOTE, last=99, traded=0)) == [], "an old last price is not a trade"
    assert orders.on_quote(replace(QUOTE, last=100, traded=50)) == [], (
        "a trade at the price may have been somebody else's"
    )


def test_better_prices_go_first_then_earlier_orders():
    orders = book(Quote())
    orders.insert(1, "buy", 100, 1)
    orders.insert(2, "buy", 101, 1)
    orders.insert(3, "buy", 101, 1)
    assert orders.insert(4, "sell", 100, 3) == [Deal(101, 1, 2, 4), Deal(101, 1, 3, 4), Deal(100, 1, 1, 4)]


def test_an_order_inside_the_spread_goes_before_the_quoted_price():
    orders = book(QUOTE)
    orders.insert(1, "buy", 100, 2)
    assert orders.insert(2, "sell", 99, 4) == [Deal(100, 2, 1, 2), Deal(99, 2, None, 2)]


def test_at_one_price_the_outside_that_was_there_first_goes_first():
    orders = book(QUOTE)
    orders.insert(1, "buy", 99, 2)
    assert orders.insert(2, "sell", 99, 6) == [Deal(99, 5, None, 2), Deal(99, 1, 1, 2)]


def test_at_one_price_an_order_that_rested_before_the_outside_came_goes_first():
    orders = book(QUOTE)
    orders.insert(1, "buy", 100, 2)
    assert orders.on_quote(replace(QUOTE, bid=100)) == []
    assert orders.insert(2, "sell", 100, 3) == [Deal(100, 2, 1, 2), Deal(100, 1, None, 2)]


def test_an_order_that_may_not_rest_leaves_nothing_behind():
    orders = book(QUOTE)
    assert orders.insert(1, "buy", 101, 10, rests=False) == [Deal(101, 3, 1, None)]
    assert orders.remaining(1) == 0
    assert orders.insert(2, "buy", None, 10, rests=False) == [], "nothing is quoted any more"


def test_an_order_at_any_price_takes_all_levels():
    orders = book(QUOTE)
    orders.insert(1, "sell", 103, 2)
    assert orders.insert(2, "buy", None, 9, rests=False) == [Deal(101, 3, 2, None), Deal(103, 2, 2, 1)]


def test_all_or_nothing_takes_nothing_when_there_is_too_little():
    orders = book(QUOTE)
    orders.insert(1, "sell", 102, 2)
    assert orders.insert(2, "buy", 101, 4, rests=False, complete=True) == []
    assert orders.insert(3, "buy", 102, 5, rests=False, complete=True) == [
        Deal(101, 3, 3, None),
        Deal(102, 2, 3, 1),
    ]


def test_at_a_locked_limit_the_absent_side_gives_nothing_and_the_other_does():
    locked = Quote(bid=110, bid_volume=500, ask=None, ask_volume=0, last=110)
    orders = book(locked)
    assert orders.insert(1, "buy", 110, 1) == []
    assert orders.insert(2, "sell", 110, 1) == [Deal(110, 1, None, 2)], (
        "the queue at the limit was there first"
    )
    assert orders.remaining(1) == 1


def test_a_cancelled_order_is_not_there_any_more():
    orders = book(QUOTE)
    orders.insert(1, "buy", 100, 2)
    orders.cancel(1)
    assert orders.insert(2, "sell", 100, 1) == []


def test_orders_of_an_auction_do_not_trade_in_it_and_come_in_by_time_with_the_next_snapshot():
    orders = book(Quote())
    orders.rest(Resting(1, "buy", 110, 2, from_auction=True))
    orders.rest(Resting(2, "sell", 90, 6, from_auction=True))
    assert orders.is_in_auction(1)
    assert orders.on_quote(QUOTE) == [Deal(101, 2, 1, None), Deal(99, 4 + 1, None, 2)]
    assert orders.remaining(2) == 1
    assert not orders.is_in_auction(2)


def test_crossing_orders_of_an_auction_trade_with_each_other_at_the_earlier_ones_price():
    orders = book(Quote())
    orders.rest(Resting(1, "buy", 100, 2, from_auction=True))
    orders.rest(Resting(2, "sell", 98, 2, from_auction=True))
    assert orders.on_quote(Quote(last=100)) == [Deal(100, 2, 1, 2)]


kinds = st.sampled_from(["gfd", "fak", "fok"])
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("order"), st.sampled_from(["buy", "sell"]), st.integers(90, 110), st.integers(1, 9), kinds
        ),
        st.tuples(
            st.just("quote"), st.integers(90, 109), st.integers(0, 9), st.integers(1, 4), st.integers(0, 9)
        ),
        st.tuples(st.just("cancel"), st.integers(1, 20)),
    ),
    max_size=40,
)


@given(steps)
def test_no_order_overfills_trades_worse_than_its_limit_or_is_left_crossed(script):
    orders, limits, left, number = OrderBook(), {}, {}, 0
    for step in script:
        if step[0] == "order":
            _, side, limit, volume, kind = step
            number += 1
            limits[number], left[number] = (side, limit), volume
            deals = orders.insert(number, side, limit, volume, rests=kind == "gfd", complete=kind == "fok")
            assert kind != "fok" or sum(deal.volume for deal in deals) in (0, volume)
            if kind != "gfd":
                assert orders.remaining(number) == 0
        elif step[0] == "quote":
            _, bid, bid_volume, spread, ask_volume = step
            deals = orders.on_quote(Quote(bid, bid_volume, bid + spread, ask_volume, bid, bid_volume))
        else:
            orders.cancel(step[1])
            deals = []
        for deal in deals:
            assert deal.volume > 0
            for side, who in (("buy", deal.buyer), ("sell", deal.seller)):
                if who is not None:
                    left[who] -= deal.volume
                    assert limits[who][0] == side
                    assert left[who] >= 0
                    assert deal.price <= limits[who][1] if side == "buy" else deal.price >= limits[who][1]
        resting = [(limits[who], who) for who in left if orders.remaining(who)]
        assert all(orders.remaining(who) == left[who] for _, who in resting)
        bids = [limit for (side, limit), _ in resting if side == "buy"]
        asks = [limit for (side, limit), _ in resting if side == "sell"]
        assert not bids or not asks or max(bids) < min(asks)
