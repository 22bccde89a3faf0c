"""Who runs units: the guards of sandboxed children, this machine's engine and a cluster's. The process of
backtests, a command, or a worker of a cluster; never the child.
"""
