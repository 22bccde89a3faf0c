"""The gateway: one process for each account that is logged in, with the only link to its counter."""
