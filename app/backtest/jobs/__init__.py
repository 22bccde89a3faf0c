"""The server's backtests: from a request to a job, the queue, what is kept, and what pages are told. The
process of backtests, `python -m app.backtest.jobs.serve`; commands drive a search by driving.py too.
"""
