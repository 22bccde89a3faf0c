"""A stand-in for CTP's libraries in front of the built-in counter: build.py makes it, client.py drives the
real binding over it.
"""
