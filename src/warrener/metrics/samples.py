"""Numbers as they were when somebody asked, and how they are written down."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from warrener.errors import UsageError
from warrener.extras import missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client import Metric as Family

    from warrener.metrics.names import Metric

MISSING: Final = missing("metrics need", "metrics")


class Sample(NamedTuple):
    """One value of a metric: a number, or a histogram's counts by bucket and sum.

    Args:
        metric: Which.
        labels: The values of its labels.
        value: As the metric's kind has it.
    """

    metric: Metric
    labels: tuple[str, ...]
    value: float | tuple[Sequence[int], float]


def is_installed() -> bool:
    """Whether there is what writes them down."""
    try:
        import prometheus_client  # noqa: F401 - to see that it is there
    except ImportError:
        return False
    return True


def written(samples: Iterable[Sample], accept: str = "") -> tuple[str, bytes]:
    """The content type and the body of an answer to Prometheus; it takes milliseconds, so not in an event loop.

    Args:
        samples: Those of one metric one after the other.
        accept: The formats that whoever asks takes, as HTTP's `Accept`.

    Raises:
        UsageError: prometheus-client is missing.
    """
    try:
        from prometheus_client.exposition import choose_encoder
    except ImportError as error:
        raise UsageError(MISSING) from error
    encode, content_type = choose_encoder(accept)
    return content_type, encode(_Collected(samples))


class _Collected:
    """What prometheus-client takes for a registry."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Family]:
        """The samples by metric."""
        families: dict[str, Family] = {}
        for sample in self._samples:
            family = families.get(sample.metric.name)
            if family is None:
                family = families[sample.metric.name] = _family(sample.metric)
            _add(family, sample)
        yield from families.values()


def _family(metric: Metric) -> Family:
    from prometheus_client import Metric as Family

    # A counter's family has no `_total` in its name, and its samples have.
    return Family(metric.name.removesuffix("_total"), metric.text, metric.kind)


def _add(family: Family, sample: Sample) -> None:
    from prometheus_client.utils import floatToGoString

    metric, labels, value = sample
    named = dict(zip(metric.labels, labels, strict=True))
    if not isinstance(value, tuple):
        family.add_sample(metric.name, named, value)
        return
    counts, total = value
    bounds = [*map(floatToGoString, metric.buckets), "+Inf"]
    for bound, count in zip(bounds, accumulate(counts), strict=True):
        family.add_sample(f"{metric.name}_bucket", {**named, "le": bound}, count)
    family.add_sample(f"{metric.name}_count", named, sum(counts))
    family.add_sample(f"{metric.name}_sum", named, total)
