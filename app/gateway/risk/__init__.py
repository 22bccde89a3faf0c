"""The one gate before the order desk, for whoever sends: what is counted, who is stopped, what is told.
Gateway process, event thread only.
"""
