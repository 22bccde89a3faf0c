"""The commands of run.py, each in a file of its name. A command's own process."""
