"""The built-in counter (`interface=sim`): its own process, one for all paper accounts. Behaves as CTP's front
and core do.
"""
