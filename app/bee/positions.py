"""ctpbee's position manager as a view of our book. Gateway and strategy processes, event thread.

ctpbee's own counts for itself and gets it wrong (docs/architecture.md, 一个账本): here every question is
answered from the ledger's book, and what the recorder tells it is ignored, since the ledger has heard it
already.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from ctpbee.center import Center, PositionModel
from ctpbee.constant import EXCHANGE_MAPPING, Direction, PositionData
from ctpbee.data_handle.local_position import LocalPositionManager, PositionHolding

from app.lib.book import Position

SIDE = {Direction.LONG: "long", Direction.SHORT: "short"}
DIRECTION = {side: direction for direction, side in SIDE.items()}
OTHER = {"long": "short", "short": "long"}
_WRITTEN = {side: f"{direction}" for side, direction in DIRECTION.items()}  # as ctpbee writes it in ids


class BookPositions(LocalPositionManager):
    """Answers ctpbee's `recorder.position_manager`; holds nothing itself. `positions` gives the book's, as
    they are now.
    """

    def __init__(self, app: Any, positions: Callable[[], list[Position]]) -> None:
        super().__init__(app)
        self._held = positions

    def _ignore(self, *_args: Any, **_kwargs: Any) -> None:
        """The book has it already."""

    update_tick = update_bar = update_order = update_trade = update_position = _ignore
    update_order_request = covert_to_yesterday_holding = clear_frozen = _ignore

    def __contains__(self, local_symbol: object) -> bool:
        return any(_local(position) == local_symbol for position in self._positions())

    def get(self, local_symbol: str, default: Any = None) -> Any:
        """ctpbee's PositionHolding of both sides, filled from the book."""
        held = [position for position in self._positions() if _local(position) == local_symbol]
        return self._holding(local_symbol, held) if held else default

    def __getitem__(self, local_symbol: str) -> Any:
        holding = self.get(local_symbol)
        if holding is None:
            raise KeyError(local_symbol)
        return holding

    def __iter__(self) -> Any:
        return iter(dict.fromkeys(_local(position) for position in self._positions()))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def keys(self) -> Any:
        return list(iter(self))

    def values(self) -> Any:
        return [self.get(local_symbol) for local_symbol in self]

    def items(self) -> Any:
        return [(local_symbol, self.get(local_symbol)) for local_symbol in self]

    def get_position(self, local_symbol: str) -> Any:
        return self.get(local_symbol)

    def get_position_by_ld(self, local_symbol: str, direction: Direction) -> PositionData | None:
        """The side asked for: with volume 0 where only the other one is held, None where neither is."""
        position = self.sides(local_symbol).get(SIDE[direction])
        return None if position is None else position_data(position)

    def sides(self, local_symbol: str) -> dict[str, Position]:
        """Both sides, long and short, where either is held."""
        symbol, _, exchange = str(local_symbol).partition(".")
        held = {
            position.direction: position
            for position in self._held()
            if position.symbol == symbol and position.exchange == exchange and position.volume
        }
        for side, other in OTHER.items():
            if other in held and side not in held:
                held[side] = _nothing(symbol, exchange, side)
        return held

    def get_all_position_objects(self) -> list[PositionData]:
        return [position_data(position) for position in self._positions()]

    def get_all_positions(self, obj: bool = False) -> list[Any]:
        """PositionData with `obj`, else ctpbee's flat rows, with direction long or short."""
        if obj:
            return self.get_all_position_objects()
        return [_row(position) for position in self._positions()]

    def _positions(self) -> list[Position]:
        return [position for position in self._held() if position.volume]

    def _holding(self, local_symbol: str, positions: list[Position]) -> PositionHolding:
        holding = PositionHolding(local_symbol, self.app.get_contract(local_symbol))
        for position in positions:
            side = position.direction
            for name, value in (
                ("pos", position.volume),
                ("yd", position.yd_volume),
                ("td", position.today_volume),
                ("pos_frozen", position.frozen),
                ("pnl", position.position_profit),
                ("stare_pnl", position.float_pnl),
                ("price", position.price),
                ("open_price", position.open_price),
            ):
                setattr(holding, f"{side}_{name}", value)
        return holding


@cache
def _nothing(symbol: str, exchange: str, side: str) -> Position:
    """The side of a contract of which only the other one is held."""
    return Position(symbol, exchange, side, *(0,) * 5, *(0.0,) * 5)


def position_data(position: Position) -> PositionData:
    """A position of the book as ctpbee has it: `pnl` by date, `float_pnl` by trade, `yd_volume` what is left
    of history.
    """
    direction, local_symbol = DIRECTION[position.direction], _local(position)
    made = object.__new__(PositionData)
    values = {  # past its `__init__`, which takes longer than all of the rest
        "__name__": "PositionData",
        "symbol": position.symbol,
        "exchange": EXCHANGE_MAPPING[position.exchange],
        "direction": direction,
        "volume": position.volume,
        "yd_volume": position.yd_volume,
        "frozen": position.frozen,
        "available": position.available,
        "price": position.price,
        "open_price": position.open_price,
        "pnl": position.position_profit,
        "float_pnl": position.float_pnl,
        "margin": position.margin,
        "local_symbol": local_symbol,
        "local_position_id": f"{local_symbol}.{_WRITTEN[position.direction]}",
    }
    object.__setattr__(made, "__dict__", values)
    return made


class BookCenter(Center):
    """ctpbee's, with a strategy's most frequent question, `get_position`, answered from the book itself, not
    by way of two entities and their dicts: the same names and values.
    """

    def get_position(self, local_symbol: str) -> Any:
        """Both sides of a contract, `long_volume`, `short_price` and so on; None where neither is held."""
        sides = self.app.recorder.position_manager.sides(local_symbol)
        if not sides:
            return None
        model = PositionModel.__new__(PositionModel)
        for side in ("long", "short"):
            position = sides[side]
            dict.update(
                model,
                zip(
                    _NAMES_OF[side],
                    (
                        position.available,
                        position.exchange,
                        position.float_pnl,
                        position.frozen,
                        local_symbol,
                        position.margin,
                        position.open_price,
                        position.position_profit,
                        position.price,
                        position.symbol,
                        position.volume,
                        position.yd_volume,
                    ),
                    strict=True,
                ),
            )
        return model


_NAMES_OF = {
    side: (
        f"{side}_available",
        "exchange",
        f"{side}_float_pnl",
        f"{side}_frozen",
        "local_symbol",
        f"{side}_margin",
        f"{side}_open_price",
        f"{side}_pnl",
        f"{side}_price",
        "symbol",
        f"{side}_volume",
        f"{side}_yd_volume",
    )
    for side in OTHER
}
"""In the order in which ctpbee has them."""


def _local(position: Position) -> str:
    return f"{position.symbol}.{position.exchange}"


def _row(position: Position) -> dict[str, Any]:
    return {
        "exchange": position.exchange,
        "direction": position.direction,
        "position_profit": position.position_profit,
        "symbol": position.symbol,
        "local_symbol": _local(position),
        "price": position.price,
        "open_price": position.open_price,
        "volume": position.volume,
        "yd_volume": position.yd_volume,
        "frozen": position.frozen,
        "available": position.available,
        "float_pnl": position.float_pnl,
        "margin": position.margin,
        "position_date": 2 if position.volume == position.yd_volume else 1,
    }
