"""What a page may say over Socket.IO, and how much of it. Web process; pure, the clock is passed in.

A page of ours says little: it shows its token, subscribes, and answers pings. Who says more than its
allowance, or anything that no page says (binary, a packet that cannot be read), is cut at once: to work it
off would hold up everybody else.
"""

from __future__ import annotations

import time
from collections.abc import Callable

MAX_PACKET = 100_000  # bytes of one packet: 2,000 contracts in a subscription
MAX_ANONYMOUS = 8_192  # bytes, before a token was shown: a token has 1,024 at most
MOST_PACKETS = 16  # in one body of long-polling, as Engine.IO itself has it

_PACKETS = "12345"  # close, ping (the probe of an upgrade), pong, message, upgrade
_MESSAGES = "0123"  # connect, disconnect, event, acknowledgement: the rest is the server's, or binary


class BadPacket(Exception):
    """Nothing that a page says, or more than it may: the connection is to be cut."""


class Allowance:
    """A token bucket: `rate` a second, `burst` at once. The clock's seconds may start anywhere."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at = now

    def take(self, amount: float, now: float) -> bool:
        """Whether that much is there; then it is taken."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < amount:
            return False
        self._left -= amount
        return True


class Inbound:
    """What one connection has said so far. `admitted` once it has shown a good token."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        now = clock()
        self.admitted = False
        self._anonymous = Allowance(2, 20, now), Allowance(2_000, 20_000, now)
        self._known = Allowance(20, 100, now), Allowance(100_000, 300_000, now)
        self._frames = Allowance(100, 400, now)

    @property
    def longest(self) -> int:
        """Bytes that one packet may have."""
        return MAX_PACKET if self.admitted else MAX_ANONYMOUS

    def frame(self, held: int) -> None:
        """A WebSocket frame has come, with which `held` bytes of a message are there that may not be whole
        yet. Raises BadPacket.
        """
        if held > self.longest:
            raise BadPacket("message too long")
        if not self._frames.take(1, self._clock()):
            raise BadPacket("too many frames")

    def packet(self, packet: str | bytes) -> None:
        """One Engine.IO packet, as text. Raises BadPacket."""
        if not isinstance(packet, str):
            raise BadPacket("binary")
        size = len(packet) if packet.isascii() else len(packet.encode("utf-8", "surrogatepass"))
        if size > self.longest:
            raise BadPacket("message too long")
        packets, volume = self._known if self.admitted else self._anonymous
        now = self._clock()
        if not packets.take(1, now) or not volume.take(size, now):
            raise BadPacket("too many messages")
        if packet[:1] not in _PACKETS or not packet:
            raise BadPacket("unknown packet type")
        if packet[0] == "4" and (packet[1:2] not in _MESSAGES or len(packet) < 2):
            raise BadPacket("unknown message type")
        if packet[0] == "2" and packet != "2probe":
            raise BadPacket("unexpected ping")

    def payload(self, body: bytes) -> list[str]:
        """The packets of a body of long-polling. Raises BadPacket."""
        try:
            packets = body.decode().split("\x1e")
        except UnicodeDecodeError:
            raise BadPacket("not UTF-8") from None
        if len(packets) > MOST_PACKETS:
            raise BadPacket("too many packets")
        for packet in packets:
            self.packet(packet)
        return packets
