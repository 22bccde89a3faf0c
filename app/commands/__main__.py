"""`python -m app.commands`: the same as run.py, for the processes that the supervisor starts."""

from app.commands.main import program

program()
