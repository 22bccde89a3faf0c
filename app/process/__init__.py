"""To be a process, to keep others, and to end them with all that they started."""
