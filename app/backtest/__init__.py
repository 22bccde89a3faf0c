"""Backtests (回测): a trader's strategy over recorded bars or ticks, by the counter's own rules.

Live and backtest are the same code: the counter's core keeps the account and matches, the gateway's ledger
follows it, the strategy's app runs the unchanged class. Here is what replaces clock, wires and files, what
fills an order where the data has only bars, and what is made of the outcome. A process of its own: strategy
code runs only in a confined child. docs/backtest.md.
"""
