"""A search for parameters: its space, its windows, its rounds, how much of it is chance, and its report.
Pure; whoever drives an engine.
"""
