"""A linear-chain CRF over the characters of texts (Lafferty, McCallum and Pereira 2001): what a tagger has to beat; notebook 10.

It knows what stands up to two characters to each side, and which tag may follow which; it was pretrained on nothing.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from labkit.tasks.spans import Span, legal, spans_of, steps, tag_names, tags_of, viterbi

WINDOWS = ((-2,), (-1,), (0,), (1,), (2,), (-2, -1), (-1, 0), (0, 1), (1, 2), (-1, 0, 1))  # characters read together
EDGE = "\0"  # stands before and behind a text


def features(text: str) -> list[list[tuple]]:
    """What is seen at each character: the characters of each window, and the window's number.

    >>> features("去北京")[1][2:4]
    [(2, '北'), (3, '京')]
    """
    padded = EDGE * 2 + text + EDGE * 2
    return [
        [(k, "".join(padded[i + 2 + shift] for shift in window)) for k, window in enumerate(WINDOWS)]
        for i in range(len(text))
    ]


class CRF:
    """A weight for each feature and tag, and for each pair of neighbouring tags; fitted by L-BFGS.

    >>> crf = CRF(("LOC",)).fit(["我去北京", "北京好"] * 3, [[(2, 4, "LOC")], [(0, 2, "LOC")]] * 3)
    >>> crf.spans(["他去北京"])
    [[(2, 4, 'LOC')]]

    `l2` is the inverse variance of the weights' normal prior. Features that stand once in the training rows are left out
    where they are many characters long: they would be learned by heart.
    """

    def __init__(self, labels: Sequence[str], l2: float = 0.1, iterations: int = 80):
        self.labels, self.l2, self.iterations = tuple(labels), l2, iterations
        self.tags = tag_names(labels)
        self.first, self.after = legal(labels)

    def fit(self, texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> "CRF":
        import numpy as np
        from scipy.optimize import minimize

        seen = Counter(f for text in texts for at in features(text) for f in at)
        often = (f for f, n in seen.items() if n > 1 or len(WINDOWS[f[0]]) == 1)
        self.known = {feature: i for i, feature in enumerate(often)}
        number = {tag: i for i, tag in enumerate(self.tags)}
        truth = [tags_of(some, pieces(text))[0] for text, some in zip(texts, spans, strict=True)]
        order, rows = steps([len(text) for text in texts])
        matrix = self.matrix(texts)[order]
        target = np.array([number[tag] for tags in truth for tag in tags], dtype=np.int64)[order]
        data = matrix, matrix.T.tocsr(), target, rows
        start = np.zeros((matrix.shape[1] + len(self.tags)) * len(self.tags))
        options = {"maxiter": self.iterations}
        found = minimize(self.objective, start, args=data, jac=True, method="L-BFGS-B", options=options)
        self.weights, self.pairs = self.split(found.x)
        return self

    def split(self, flat) -> tuple[Any, Any]:
        """(features, k) weights and (k, k) of neighbours."""
        k = len(self.tags)
        return flat[: -k * k].reshape(-1, k), flat[-k * k :].reshape(k, k)

    def matrix(self, texts: Sequence[str]) -> Any:
        """Which known feature is seen where, sparse (characters, features)."""
        import numpy as np
        from scipy.sparse import csr_matrix

        found = [[i for f in at if (i := self.known.get(f)) is not None] for text in texts for at in features(text)]
        ends = np.cumsum([0, *map(len, found)])
        columns = np.fromiter((i for at in found for i in at), dtype=np.int64, count=ends[-1])
        return csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(found), len(self.known)))

    def objective(self, flat, matrix, turned, target, rows) -> tuple[float, Any]:
        """Negative log-likelihood with its prior, and the gradient."""
        import numpy as np

        weights, pairs = self.split(flat)
        scores = matrix @ weights
        loss, here, between = chances(scores, rows, self.first, pairs + self.after)
        loss -= scores[np.arange(len(target)), target].sum()
        here[np.arange(len(target)), target] -= 1
        at = 0
        for n, then in zip(rows[1:], rows[:-1], strict=True):
            before, now = target[at : at + n], target[at + then : at + then + n]
            loss -= pairs[before, now].sum()
            np.subtract.at(between, (before, now), 1)
            at += then
        slope = np.concatenate([(turned @ here).ravel(), between.ravel()])
        return loss + self.l2 / 2 * flat @ flat, slope + self.l2 * flat

    def spans(self, texts: Sequence[str]) -> list[list[Span]]:
        """The entities of each text."""
        scores, lengths = self.matrix(texts) @ self.weights, [len(text) for text in texts]
        best = [self.tags[i] for i in viterbi(scores, lengths, self.first, self.pairs + self.after)]
        found, at = [], 0
        for text in texts:
            found.append(spans_of(best[at : at + len(text)], pieces(text)))
            at += len(text)
        return found

    @property
    def parameters(self) -> int:
        return self.weights.size + self.pairs.size


def pieces(text: str) -> list[tuple[int, int]]:
    """Each character by itself."""
    return [(i, i + 1) for i in range(len(text))]


def chances(scores, rows, first, after) -> tuple[float, Any, Any]:
    """Of all sequences of tags: the logarithm of their sum, how likely each tag is at each place (n, k), and how often each
    pair of neighbours is to be expected (k, k). Forward and backward; places stand in the order of `steps`."""
    parts, kept = forwards(scores, rows, first, after)
    return float(parts.sum()), *expected(kept)


def forwards(scores, rows, first, after) -> tuple[Any, tuple]:
    """Forward over all rows at once: (n,) numbers whose sum over a row's places is the logarithm of the sum of all its
    sequences, and what `expected` needs. Each place is scaled by its own sum, so that nothing overflows."""
    import numpy as np

    top = scores.max(1, keepdims=True)
    here, step = np.exp(scores - top), np.exp(after)
    ends = np.cumsum(rows)
    forward, scale = np.empty_like(here), np.empty(len(here))
    for t, end in enumerate(ends):
        now, past = slice(end - rows[t], end), end - rows[t] - rows[t - 1]
        before = forward[past : past + rows[t]] @ step if t else np.exp(first)
        forward[now] = before * here[now]
        scale[now] = forward[now].sum(1)
        forward[now] /= scale[now, None]
    return np.log(scale) + top[:, 0], (rows, ends, here, step, forward, scale)


def expected(kept: tuple, weights=1.0) -> tuple[Any, Any]:
    """Backward: how likely each tag is at each place (n, k), and the expected counts of neighbours (k, k), in which each place
    weighs what `weights` (n, 1) says."""
    import numpy as np

    rows, ends, here, step, forward, scale = kept
    backward, between, weighed = np.ones_like(here), np.zeros_like(step), forward * weights
    for t in range(len(rows) - 1, 0, -1):
        now, before = (
            slice(ends[t] - rows[t], ends[t]),
            slice(ends[t - 1] - rows[t - 1], ends[t - 1] - rows[t - 1] + rows[t]),
        )
        coming = here[now] * backward[now] / scale[now, None]
        between += weighed[before].T @ coming * step
        backward[before] = coming @ step.T
    return forward * backward, between
