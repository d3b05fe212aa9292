"""Small random experiments with creatives, hard on a solver: units that differ, indicators, few people, many creatives."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from causal_tasks.segments import CreativeSegments

Array = NDArray[Any]

ALPHAS = (0.0, 0.05, 0.2, 0.49, 0.5, 0.8, 1.0)


@dataclass(frozen=True)
class RandomExperiment:
    """What an estimator is given.

    Attributes:
        X: Shape (n, p).
        response: Shape (n,).
        creative: Names, shape (n,).
        segment: Segment by creative.
        parameters: Of the estimator, but ``lam``.
    """

    X: Array
    response: Array
    creative: Array
    segment: dict[str, str]
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def family(self) -> str:
        return self.parameters.get("family", "binomial")

    def fitted(self, lam: float, *, as_sparse: bool = False, **parameters: Any) -> CreativeSegments:
        given = {"dtype": "float64", "tol": 1e-10, "max_iter": 20_000, "n_lams": 1} | self.parameters | parameters
        X = sparse.csr_matrix(self.X) if as_sparse else self.X
        return CreativeSegments(lam=lam, **given).fit(X, self.response, creative=self.creative, segment=self.segment)

    def rows(self, chosen: Array) -> "RandomExperiment":
        """Of these people alone."""
        seen = set(self.creative[chosen])
        segment = {creative: name for creative, name in self.segment.items() if creative in seen}
        return replace(
            self, X=self.X[chosen], response=self.response[chosen], creative=self.creative[chosen], segment=segment
        )


def respond(eta: Array, family: str, random: np.random.Generator) -> Array:
    if family == "binomial":
        return (random.random(len(eta)) < 1 / (1 + np.exp(-eta))).astype(float)
    if family == "poisson":
        return random.poisson(np.exp(np.clip(eta, -3, 2))).astype(float)
    return eta + random.normal(size=len(eta))


def random_experiment(
    seed: int, *, creatives: tuple[int, ...] = (3, 2), covariates: int = 5, people: int = 30, **parameters: Any
) -> RandomExperiment:
    """People of whom some are alike and respond differently, in every direction: so that an optimum exists at any alpha.

    Args:
        seed: Of everything drawn.
        creatives: In each segment.
        covariates: The last is an indicator where there are two or more.
        people: Who saw a creative, about.
        parameters: Of the estimator.
    """
    random = np.random.default_rng(seed)
    segment = {f"creative_{j}{k}": f"segment_{j}" for j, count in enumerate(creatives) for k in range(count)}
    sizes = random.integers(people, people + people // 2 + 1, len(segment))
    creative = np.repeat(np.array(list(segment)), sizes)
    X = random.normal(size=(len(creative), covariates)) * random.uniform(0.3, 3, covariates)
    if covariates > 1:
        X[:, -1] = random.random(len(X)) < 0.4
    family = parameters.get("family", "binomial")
    response = np.empty(len(X))
    for name in segment:
        shown = creative == name
        beta = random.normal(size=covariates) * (random.random(covariates) < 0.6) / (1 + X.std(axis=0))
        response[shown] = respond(X[shown] @ beta + random.normal() / 2, family, random)
        twins = np.flatnonzero(shown)[: 2 * min(covariates + 1, people // 2)].reshape(2, -1)
        X[twins[0], -1] = np.arange(twins.shape[1]) % 2
        X[twins[1]] = X[twins[0]]
        if family != "gaussian":
            response[twins] = [[0], [1]]
    order = random.permutation(len(X))
    return RandomExperiment(X[order], response[order], creative[order], segment, parameters)


@st.composite
def experiments(draw: st.DrawFn, alphas: tuple[float, ...] = ALPHAS, least: int = 25) -> RandomExperiment:
    creatives = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=2)))
    return random_experiment(
        draw(st.integers(0, 10_000)),
        creatives=creatives,
        covariates=draw(st.integers(1, 4)),
        people=draw(st.integers(least, 45)),
        family=draw(st.sampled_from(["binomial", "poisson", "gaussian"])),
        alpha=draw(st.sampled_from(alphas)),
        standardize=draw(st.booleans()),
    )
