"""One running strategy: a process of its own with a ctpbee app whose interface relays to the account's
gateway.
"""
