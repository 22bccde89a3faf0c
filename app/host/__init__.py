"""The host: the process that starts gateways and strategies, watches them, and starts again what has died. No
account's data is here.
"""
