"""Samples in the shape that `prometheus_client` writes out."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from sophia_assets.telemetry.exporter.samples import Age, Distribution, Sample
from sophia_assets.telemetry.recording import bound_text
from sophia_assets.telemetry.series import Kind, Series

LONGEST_LABEL = 200


class Families(Collector):
    """A collector over whatever `samples` gives at a scrape."""

    def __init__(self, samples: Callable[[], Iterable[Sample]]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        """One family per series, each set of labels once: the first that is found counts."""
        now = time.time()
        by_series: dict[str, dict[tuple[str, ...], Sample]] = defaultdict(dict)
        declared: dict[str, Series] = {}
        for sample in self._samples():
            declared[sample.series.name] = sample.series
            by_series[sample.series.name].setdefault(_shown(sample.labels), sample)
        for name, series in declared.items():
            yield family(series, by_series[name], now)


def family(series: Series, samples: Mapping[tuple[str, ...], Sample], now: float) -> Metric:
    """All samples of one series by their labels; ages are those at `now` (seconds of the epoch)."""
    if series.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(series.name, series.meaning, labels=series.labels)
        for labels, sample in samples.items():
            if isinstance(sample, Distribution):
                histogram.add_metric(labels, _cumulated(series, sample), sample.total)
        return histogram
    made: CounterMetricFamily | GaugeMetricFamily
    if series.kind is Kind.COUNTER:
        made = CounterMetricFamily(series.name, series.meaning, labels=series.labels)
    else:
        made = GaugeMetricFamily(series.name, series.meaning, labels=series.labels)
    for labels, sample in samples.items():
        if isinstance(sample, Age):
            made.add_metric(labels, sample.at(now))
        elif not isinstance(sample, Distribution):
            made.add_metric(labels, sample.value)
    return made


def _cumulated(series: Series, sample: Distribution) -> list[tuple[str, float]]:
    """The counts of each bucket and all below it; what was counted under bounds of another version goes above."""
    known = {bound_text(bound): bound for bound in series.buckets}
    counts = dict.fromkeys(series.buckets, 0.0)
    for text, count in sample.counts.items():
        counts[known[text] if text in known else _bound_above(series, text)] += count
    so_far, cumulated = 0.0, []
    for bound in series.buckets:
        so_far += counts[bound]
        cumulated.append((bound_text(bound), so_far))
    return cumulated


def _bound_above(series: Series, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.inf
    return next((bound for bound in series.buckets if value <= bound), math.inf)


def _shown(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Label values of bounded length: whoever names a table decides neither memory nor a scrape's size."""
    return tuple(
        # A half of a pair that stands alone cannot be written out, and would cost the whole scrape.
        label[:LONGEST_LABEL].encode("utf-8", "replace").decode()
        for label in labels
    )
