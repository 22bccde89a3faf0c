"""What a backtest runs over: days of bars or ticks, kept columns, the main contracts, fees as they were. Pure
but for files; backtest's child, and whoever prepares a run.
"""
