"""Numbers of a running service, as Prometheus reads them: counters, a histogram of seconds, gauges. Written by hand."""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable

BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # upper ends, seconds
ROWS = (1, 2, 4, 8, 16, 32, 64)  # upper ends, rows of a batch
KEPT = 10_000  # of the newest latencies: quantiles are told from them


class Metrics:
    """What happened to requests: touched by the event loop alone.

    >>> metrics = Metrics()
    >>> metrics.answered("/predict", 200, 0.012)
    >>> metrics.quantile(0.5)
    0.012
    """

    def __init__(self):
        self.requests: Counter = Counter()  # (path, status)
        self.seconds, self.total = [0] * (len(BUCKETS) + 1), 0.0
        self.newest: deque[float] = deque(maxlen=KEPT)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """A request was answered; only of answers (status 200) to /predict the seconds count."""
        self.requests[path, status] += 1
        if status == 200 and path == "/predict":
            self.seconds[bisect_left(BUCKETS, seconds)] += 1
            self.total += seconds
            self.newest.append(seconds)

    def quantile(self, share: float) -> float | None:
        """Of the newest latencies, seconds; None where nothing was answered."""
        ordered = sorted(self.newest)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else None

    def text(self, batcher, ready: bool) -> str:
        """Everything in the Prometheus text format, version 0.0.4."""
        counts = batcher.counts
        lines = head("labkit_requests_total", "counter", "Requests by path and status.")
        lines += [
            f'labkit_requests_total{{path="{path}",code="{status}"}} {n}'
            for (path, status), n in sorted(self.requests.items())
        ]
        lines += head("labkit_request_seconds", "histogram", "From the head of a request to its answer, of /predict.")
        lines += histogram("labkit_request_seconds", BUCKETS, self.seconds, self.total)
        sizes = dict(counts.sizes)  # the thread goes on counting
        rows = [0] * (len(ROWS) + 1)
        for size, n in sizes.items():
            rows[bisect_left(ROWS, size)] += n
        lines += head("labkit_batch_rows", "histogram", "Inputs that the model was asked at once.")
        lines += histogram("labkit_batch_rows", ROWS, rows, sum(size * n for size, n in sizes.items()))
        for name, kind, text, value in (
            ("labkit_inputs_total", "counter", "Inputs that were taken on and are settled.", counts.rows),
            ("labkit_inputs_late_total", "counter", "Inputs whose deadline passed.", counts.late),
            ("labkit_inputs_broken_total", "counter", "Inputs on which the model failed.", counts.broken),
            ("labkit_queue_inputs", "gauge", "Inputs that were taken on and are not settled yet.", batcher.held),
            ("labkit_ready", "gauge", "1 while requests are taken on.", int(ready)),
        ):
            lines += [*head(name, kind, text), f"{name} {value}"]
        return "\n".join(lines) + "\n"


def head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def histogram(name: str, ends: Iterable[float], counts: list[int], total: float) -> list[str]:
    """Cumulative counts, as the format has them.

    >>> histogram("x", (1, 2), [3, 0, 1], 9)
    ['x_bucket{le="1"} 3', 'x_bucket{le="2"} 3', 'x_bucket{le="+Inf"} 4', 'x_sum 9', 'x_count 4']
    """
    lines, so_far = [], 0
    for end, n in zip([*ends, "+Inf"], counts, strict=True):
        so_far += n
        lines.append(f'{name}_bucket{{le="{end}"}} {so_far}')
    return [*lines, f"{name}_sum {total:g}", f"{name}_count {so_far}"]
