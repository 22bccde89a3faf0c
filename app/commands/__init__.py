"""The commands, each in a file of its name; main.py is the group. A command's own process."""
