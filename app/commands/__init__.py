"""Data that comes in and goes out by command: bars of files and of the reference's MongoDB, and whole
servers. The command's process.
"""
