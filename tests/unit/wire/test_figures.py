"""How long things took, counted in buckets as Prometheus wants them."""

from __future__ import annotations

from app.wire.figures import Distribution


def test_a_distribution_counts_up_to_each_bound_and_sums() -> None:
    taken = Distribution((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        taken.observe(seconds)
    figure = taken.figure("ctpbee_x_seconds", "How long.", {"front": "td"})
    assert figure.buckets == [("0.1", 2.0), ("1.0", 3.0), ("+Inf", 4.0)]
    assert (figure.kind, figure.value, figure.labels) == ("histogram", 7.65, {"front": "td"})
