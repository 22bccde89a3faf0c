"""One run: what is asked (job.py, fills.py), and the market, counter, account and strategies that it goes
through in order. Backtest's child, but for what is asked, which whoever asks knows too.
"""
