"""The strategies of the account as the gateway sees them: who joined, whose lots, which limits, their own listener.
Gateway process."""
