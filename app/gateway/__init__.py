"""Processes and what runs between them: host, gateway, the channel, the messages, the interfaces to
counters.
"""
