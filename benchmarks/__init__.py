"""How fast it is: one command each (`python -m benchmarks.ticks`, `.orders`, `.bars`, `.login`, `.crowd`).

Every figure stands beside that of a reference which runs in the same call on the same machine. The server has
one core, whoever loads it the other. Nothing here is a test: a figure is read, never asserted.
docs/performance.md has the tables.
"""
