"""What /metrics tells Prometheus: this web's own numbers, and those of every gateway under its account's
name. Web process.

Each web of several has its own page and its own numbers; a gateway's are the same whichever web is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from app.wire.figures import Figure

REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """One web's numbers."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "ctpbee_http_request_seconds",
            "Time from a request's arrival to its answer, by route.",
            ["method", "route", "status"],
            registry=self._registry,
            buckets=REQUEST_SECONDS,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request of this route is done. `route` is the rule, never the path: paths are without
        number.
        """
        self._seconds.labels(method, route, str(status)).observe(seconds)

    def exposition(self, ours: Iterable[Figure], gateways: Mapping[str, Iterable[Figure]]) -> bytes:
        """The whole page: what was counted here, `ours`, and the gateways' figures, each labelled with its
        account.
        """
        families: dict[str, Metric] = {}
        for figure in ours:
            _add(families, figure, figure.labels)
        for account, figures in gateways.items():
            for figure in figures:
                _add(families, figure, {"account": account} | figure.labels)
        gathered = CollectorRegistry()
        gathered.register(_Gathered(families))
        return generate_latest(self._registry) + generate_latest(gathered)


class _Gathered(Collector):
    def __init__(self, families: Mapping[str, Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families.values()


def _add(families: dict[str, Metric], figure: Figure, labels: dict[str, str]) -> None:
    values = list(labels.values())
    family = families.get(figure.name)
    match figure.kind:
        case "histogram":
            family = family or HistogramMetricFamily(figure.name, figure.help, labels=list(labels))
            assert isinstance(family, HistogramMetricFamily)
            family.add_metric(values, figure.buckets, figure.value)
        case "counter":
            family = family or CounterMetricFamily(figure.name, figure.help, labels=list(labels))
            assert isinstance(family, CounterMetricFamily)
            family.add_metric(values, figure.value)
        case _:
            family = family or GaugeMetricFamily(figure.name, figure.help, labels=list(labels))
            assert isinstance(family, GaugeMetricFamily)
            family.add_metric(values, figure.value)
    families[figure.name] = family
