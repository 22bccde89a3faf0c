"""The confined child: one run, or many over the same data. The only process that runs a strategy's code in a
backtest; entered by `python -m app.backtest` and `python -m app.backtest.child.worker`.
"""
