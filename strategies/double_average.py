"""双均线：一个可以在内置柜台上直接运行的示例，也是写自己策略的起点。

做什么：选定品种次近月的合约，看每根收盘的 1 分钟 K 线。快线上穿慢线，平掉空头，买开 1
手；下穿则平掉多头，卖开 1 手。 平与开一起报出，每个方向至多 1 手。 不做什么：不追单，不加仓。一根 K
线内没有成交的报单，到下一根 K 线时撤掉再说。

这是示例，不是投资建议。持仓看的是账户里这个合约的仓位，所以不要在同一合约上手工交易。
"""

from ctpbee import CtpbeeApi
from ctpbee.constant import BarData, ContractData, OrderData, TradeData

VOLUME = 1  # 每次手数
COUNTER_TICKS = 2  # 报价比收盘价让出几个最小变动价位，以便尽快成交


class DoubleAverage(CtpbeeApi):
    def __init__(self, name: str, product: str, fast: int, slow: int):
        super().__init__(name)
        self.product = product  # 品种，如 rb
        self.fast, self.slow = fast, slow  # 均线长度，单位为根
        self.contract: ContractData | None = None
        self.closes: list[float] = []

    def on_init(self, init: bool) -> None:
        """这时合约、持仓、资金都已就绪（见 docs/strategies.md），可以选合约了。"""
        months = [contract for contract in self.recorder.get_all_contracts() if contract.symbol.rstrip("0123456789") == self.product]
        months.sort(key=lambda contract: contract.expire_date)
        if len(months) < 2:
            raise ValueError(f"品种 {self.product} 没有可选的合约")
        self.contract = months[1]
        self.instrument_set = {self.contract.local_symbol}  # 写进来就会订阅
        self.info(f"合约 {self.contract.local_symbol}，快线 {self.fast}，慢线 {self.slow}")

    def on_bar(self, bar: BarData) -> None:
        """只会收到收盘的 1 分钟 K 线。没有打开 INSTRUMENT_INDEPEND 时，别的合约也会来，所以先看是谁。"""
        if self.contract is None or bar.local_symbol != self.contract.local_symbol:
            return
        self.closes = [*self.closes[-self.slow :], bar.close_price]
        waiting = self.center.get_active_order(bar.local_symbol)
        for order in waiting:
            if order.strategy == self.extension_name:  # 只撤自己的
                self.action.cancel(order.order_id, order)
        if waiting or len(self.closes) <= self.slow:
            return
        before, now = self.lead(self.closes[:-1]), self.lead(self.closes[1:])
        if before <= 0 < now:
            self.turn_long(bar)
        elif before >= 0 > now:
            self.turn_short(bar)

    def lead(self, closes: list[float]) -> float:
        """快线高出慢线多少。"""
        return sum(closes[-self.fast :]) / self.fast - sum(closes[-self.slow :]) / self.slow

    def turn_long(self, bar: BarData) -> None:
        price = bar.close_price + COUNTER_TICKS * self.contract.pricetick
        position = self.center.get_position(bar.local_symbol)
        if position is not None and position.short_volume:
            # ctpbee 里 sell_close 平空，buy_close 平多
            self.action.sell_close(price, position.short_volume, bar)
        if position is None or not position.long_volume:
            self.action.buy_open(price, VOLUME, bar)

    def turn_short(self, bar: BarData) -> None:
        price = bar.close_price - COUNTER_TICKS * self.contract.pricetick
        position = self.center.get_position(bar.local_symbol)
        if position is not None and position.long_volume:
            self.action.buy_close(price, position.long_volume, bar)
        if position is None or not position.short_volume:
            self.action.sell_open(price, VOLUME, bar)

    def on_order(self, order: OrderData) -> None:
        """账户里每张报单的变化都会来，别的策略和手工的也在内。"""
        if order.strategy == self.extension_name:
            self.info(f"报单 {order.order_id} {order.direction.value}{order.offset.value} {order.price:g} "
                      f"{order.status.value}")

    def on_trade(self, trade: TradeData) -> None:
        if trade.strategy == self.extension_name:
            self.info(f"成交 {trade.direction.value}{trade.offset.value} {trade.volume:g} 手 {trade.price:g}")


ext = DoubleAverage("double_average", "rb", 3, 8)
