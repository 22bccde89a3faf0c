"""The host: the process that starts gateways and strategies, watches them, and starts again what fell. No
account's data is here.
"""
