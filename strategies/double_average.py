"""双均线：一个可以在内置柜台上直接运行、也可以直接回测的示例，是写自己策略的起点。

做什么：订阅一个品种的全部合约，听完第一分钟的 K 线，选定成交最多的（多半是主力）；账户里已有持仓的，接着做那个
合约。回测的行情里只有一个合约时，选定的就是它。 此后看它每根收盘的 1 分钟 K 线：快线上穿慢线，平掉空头，买开 1
手；下穿则平掉多头，卖开 1 手。平与开一起报出，每个方向至多 1 手。
不做什么：不追单，不加仓，不换月。一根 K 线内没有成交的报单，到下一根 K 线时撤掉再说。

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
        self.months: dict[str, ContractData] = {}  # 这个品种的合约
        self.first: list[BarData] = []  # 各合约第一分钟的 K 线
        self.contract: ContractData | None = None  # 选定的
        self.closes: list[float] = []

    def on_init(self, init: bool) -> None:
        """这时合约、持仓、资金都已就绪（见 docs/strategies.md），可以选合约了。"""
        for contract in self.recorder.get_all_contracts():
            if contract.symbol.rstrip("0123456789") == self.product:
                self.months[contract.local_symbol] = contract
                if self.center.get_position(contract.local_symbol) is not None:
                    self.contract = contract  # 重启之后内存是空的，持仓还在：接着做
        if not self.months:
            raise ValueError(f"没有品种 {self.product} 的合约")
        self.instrument_set = {self.contract.local_symbol} if self.contract else set(self.months)  # 写进来就会订阅
        chosen = self.contract.local_symbol if self.contract else f"在 {len(self.months)} 个里等第一分钟"
        self.info(f"合约 {chosen}，快线 {self.fast}，慢线 {self.slow}")

    def choose(self, bar: BarData) -> None:
        """第一分钟的 K 线听完了，就选定一个。"""
        if bar.local_symbol not in self.months:
            return
        if not self.first or bar.datetime <= self.first[0].datetime:
            self.first.append(bar)
            return
        main = max(self.first, key=lambda one: one.volume)
        self.contract = self.months[main.local_symbol]
        self.info(f"选定 {main.local_symbol}")

    def on_bar(self, bar: BarData) -> None:
        """只会收到收盘的 1 分钟 K 线。没有打开 INSTRUMENT_INDEPEND 时，别的合约也会来，所以先看是谁。"""
        if self.contract is None:
            self.choose(bar)
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
