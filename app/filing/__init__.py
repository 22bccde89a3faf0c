"""The filing pack (程序化交易报备): the broker's eleven checks, run against a server of the pack's own, and
what they show put together. The command's own process; of the server it is a client, as a page is.
"""
