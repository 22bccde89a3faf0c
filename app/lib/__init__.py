"""Pure domain code: no Flask, no sockets, no clock of its own."""
