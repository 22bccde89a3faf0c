"""Where the built-in counter's quotes come from: made up, or replayed from files. Counter process."""
