"""How like two vectors are, by each of Pinecone's metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

METRICS = ("cosine", "dotproduct", "euclidean")


class Vectors:
    """The vectors of one namespace as a matrix, one row each."""

    def __init__(self, values: Sequence[Sequence[float]], dimension: int) -> None:
        import numpy

        self._matrix: numpy.ndarray[Any, Any] = numpy.array(values, dtype=numpy.float64).reshape(-1, dimension)

    def ranked(self, vector: Sequence[float], metric: str) -> list[tuple[int, float]]:
        """Each row's number with its score, the likest first; ties in the rows' order."""
        import numpy

        wanted = numpy.array(vector, dtype=numpy.float64)
        if metric == "euclidean":
            # Pinecone's score is the squared distance: the nearest has the lowest.
            scores = ((self._matrix - wanted) ** 2).sum(axis=1)
            order = numpy.argsort(scores, kind="stable")
        else:
            scores = self._matrix @ wanted
            if metric == "cosine":
                lengths = numpy.linalg.norm(self._matrix, axis=1) * numpy.linalg.norm(wanted)
                scores = numpy.divide(scores, lengths, out=numpy.zeros_like(scores), where=lengths > 0)
            order = numpy.argsort(-scores, kind="stable")
        return [(int(row), float(scores[row])) for row in order]
