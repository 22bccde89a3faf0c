"""The built-in counter as a front of the account. Gateway process."""
