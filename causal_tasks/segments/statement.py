"""What an experiment says about its segments, and the response as likelihoods take it and as people read it."""

import numpy as np
from numpy.typing import NDArray

from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment, Metric, Segmenting
from causal_tasks.segments.likelihood import Family

Values = NDArray[np.float64]


def stated_segmenting(experiment: Experiment) -> Segmenting:
    """The part ``segmenting``.

    Raises:
        InputError: The experiment has none.
    """
    if experiment.segmenting is None:
        raise InputError(
            f"experiment {experiment.experiment_id!r} states no segmenting",
            remedy="state segmenting.segments: for each segment, the arms that were made for it",
        )
    return experiment.segmenting


def response_metric(experiment: Experiment) -> Metric:
    """The metric that creatives are to raise or lower.

    Raises:
        InputError: The experiment states no segmenting.
    """
    name = stated_segmenting(experiment).response
    return next((metric for metric in experiment.metrics if metric.name == name), experiment.primary)


def modelled_response(benefit: Values, metric: Metric, family: Family) -> Values:
    """What a likelihood is fitted to: of a binomial response of which less is better 1 - y, else the benefit.

    Args:
        benefit: Values of the metric, turned so that more is better.
        metric: The response.
        family: Of the likelihood.
    """
    return benefit + _offset(metric, family)


def stated_response(expected: Values, metric: Metric, family: Family) -> Values:
    """Expected values of ``modelled_response`` in the metric's own unit and sign; arguments as there."""
    own: Values = metric.benefit(expected - _offset(metric, family))
    return own


def _offset(metric: Metric, family: Family) -> float:
    return 1.0 if family == "binomial" and metric.sign < 0 else 0.0
