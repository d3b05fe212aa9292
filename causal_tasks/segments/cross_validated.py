"""What models of responses have in common whose penalty is chosen by the people left out."""

from collections.abc import Mapping
from typing import Any, Self

from numpy.typing import ArrayLike

from causal_tasks.segments.cross_validation import dealt_folds
from causal_tasks.segments.likelihood import likelihood_of
from causal_tasks.segments.response_models import CreativeResponses
from causal_tasks.segments.shown_people import checked_response, labels


class CrossValidated(CreativeResponses):
    """Deals people to folds before it learns."""

    folds: int
    seed: int

    def fit(
        self,
        X: Any,
        response: ArrayLike,
        *,
        creative: ArrayLike,
        segment: Mapping[Any, Any] | ArrayLike,
        fold: ArrayLike | None = None,
    ) -> Self:
        """Choose the penalty, then learn from everybody.

        Args:
            X: See ``CreativeSegments.fit``.
            response: Likewise.
            creative: Likewise.
            segment: Likewise.
            fold: Number of the fold that each person is in, shape (n,); people who are not independent belong into one.

        Raises:
            InputError: As ``CreativeSegments.fit``, or a creative's response does not vary outside of a fold.

        Warns:
            See ``CreativeSegments.fit``.
        """
        responses = checked_response(response, likelihood_of(self.family))
        if fold is None:
            fold = dealt_folds(labels(creative, "creative"), responses, self.folds, self.seed)
        return self.fit_exposures(self._exposures(X, responses, creative=creative, segment=segment, fold=fold))
