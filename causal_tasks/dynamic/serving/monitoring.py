"""Counts and latencies of a server, in the text format of Prometheus."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

LATENCY_BOUNDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Seconds; what takes longer falls above all of them."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class LatencyHistogram:
    """How many requests took how long.

    Args:
        bounds: Upper bounds of its buckets, seconds, rising; a request of exactly that long is inside.
    """

    def __init__(self, bounds: tuple[float, ...] = LATENCY_BOUNDS) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count a request."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def lines(self, name: str) -> Iterable[str]:
        """Its samples: buckets that each hold all faster ones, sum and count."""
        below = 0
        for bound, count in zip((*map(repr, self._bounds), "+Inf"), self._counts, strict=True):
            below += count
            yield f'{name}_bucket{{le="{bound}"}} {below}'
        yield f"{name}_sum {self._sum!r}"
        yield f"{name}_count {below}"


class Monitoring:
    """What a server has done since it started.

    Attributes:
        latency: Of requests for decisions, from the first byte of the body that is read to the answer that is made.
        statuses: Requests for decisions by HTTP status.
        arms: Decisions by label of the arm given.
        reasons: Decisions by reason, see ``DecisionAnswer``.
        explored: Decisions in which exploration gave another arm.
    """

    def __init__(self) -> None:
        self.latency = LatencyHistogram()
        self.statuses: Counter[int] = Counter()
        self.arms: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.explored = 0

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """All of it, followed by values of the moment.

        Args:
            gauges: Help and value by name.
        """
        lines = [*_head("causal_decide_seconds", "histogram", "Seconds from reading a request to its answer.")]
        lines += self.latency.lines("causal_decide_seconds")
        for name, label, words, counts in (
            ("causal_decide_requests_total", "status", "Requests for decisions by HTTP status.", self.statuses),
            ("causal_decisions_total", "arm", "Decisions by the arm given.", self.arms),
            ("causal_decision_reasons_total", "reason", "Decisions by reason.", self.reasons),
        ):
            lines += _head(name, "counter", words)
            lines += [f'{name}{{{label}="{_escaped(str(key))}"}} {count}' for key, count in sorted(counts.items())]
        lines += _head("causal_decisions_explored_total", "counter", "Decisions in which exploration gave another arm.")
        lines += [f"causal_decisions_explored_total {self.explored}"]
        for name, (words, value) in gauges.items():
            lines += [*_head(name, "gauge", words), f"{name} {value!r}"]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, words: str) -> Iterable[str]:
    return f"# HELP {name} {words}", f"# TYPE {name} {kind}"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
