"""The vendor's CTP library as a front of the account. Gateway process."""
