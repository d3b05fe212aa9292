"""Part ``recovery``: which shared covariates and which departures are found, by alpha, where the truth is known."""

from dataclasses import dataclass

import numpy as np

from benchmarks.document import table
from benchmarks.draws import repeated
from causal_tasks.data.creative_problems import CreativeProblem, creative_problem
from causal_tasks.segments import CreativeSegments, CreativeSegmentsCV

ALPHAS = (0.0, 0.05, 0.1, 0.25, 0.4)
DEFAULTS = (0.05, 0.1, 0.2)
LAMS = 25
COVARIATES, CREATIVES, SHARED = 300, 3, 8


@dataclass(frozen=True, slots=True)
class Case:
    """One segment of three creatives, since segments are learned apart.

    Attributes:
        title: In the table.
        people: Who saw a creative of it.
        apart: Creatives that depart from it.
    """

    title: str
    people: int
    apart: int


CASES = (
    Case("alike, 6,000 people", 6_000, 0),
    Case("alike, 24,000 people", 24_000, 0),
    Case("one departs, 24,000 people", 24_000, 1),
)


@dataclass(frozen=True, slots=True)
class Found:
    """How a fit compares with the truth.

    Attributes:
        right: Shared covariates with a coefficient of what creatives share.
        wrong: Other covariates with one.
        agree: Creatives of those which agree whose difference is exactly zero.
        depart: Creatives of those which depart whose difference is not.
        error: Root mean square over people of the error in log-odds, mean over creatives; intercepts left out.
    """

    right: int
    wrong: int
    agree: int
    depart: int
    error: float

    @classmethod
    def of(cls, model: CreativeSegments, truth: CreativeProblem, people: CreativeProblem) -> "Found":
        """A fitted model of one segment, its error among ``people``."""
        shared, planted = model.gamma_[0] != 0, truth.gamma[0] != 0
        apart, departs = (np.linalg.norm(delta, axis=1) > 0 for delta in (model.delta_, truth.delta))
        beta = model.beta_ / model.scale_
        wrong = (people.X @ (beta - truth.gamma - truth.delta).T).std(axis=0)
        return cls(
            right=int((shared & planted).sum()),
            wrong=int((shared & ~planted).sum()),
            agree=int((~apart & ~departs).sum()),
            depart=int((apart & departs).sum()),
            error=float(wrong.mean()),
        )


def section(seeds: int) -> str:
    """The table by case and alpha."""
    rows = []
    for case, fits in zip(CASES, repeated(_fits, CASES, seeds), strict=True):
        for title in fits[0]:
            found = [fit[title] for fit in fits]
            error = np.array([each.error for each in found])
            rows.append(
                [
                    f"{case.title}; {title}",
                    _mean(found, "right", SHARED),
                    _mean(found, "wrong", COVARIATES - SHARED),
                    _mean(found, "agree", CREATIVES - case.apart),
                    _mean(found, "depart", case.apart) if case.apart else "",
                    f"{error.mean():.3f} ± {error.std(ddof=1) / np.sqrt(seeds):.3f}",
                ]
            )
    header = [
        "people; alpha",
        "shared covariates found",
        "others taken for shared",
        "said to agree, of those which do",
        "said to depart, of those which do",
        "error of the log-odds",
    ]
    return (
        f"One segment of {CREATIVES} creatives, {COVARIATES} covariates, of which {SHARED} with equal coefficients "
        "decide on the response to all of its creatives (standard deviation of the log-odds: 0.6) and 8 others on what "
        f"a creative that departs adds (0.6 too). Means of {seeds} draws, the error ± its standard error: root mean "
        "square over new people, mean over creatives. Lambda by cross-validation, one standard error; in the last rows "
        f"alpha as well, one of {', '.join(map(str, DEFAULTS))}.\n\n" + table(header, rows)
    )


def _fits(case: Case, seed: int) -> dict[str, Found]:
    problem = creative_problem(
        case.people, COVARIATES, 1, CREATIVES, shared=SHARED, apart=case.apart, correlation=0.0, seed=seed
    )
    people = problem.others(5_000, seed=seed + 1_000)
    exposure = {"creative": np.array(problem.creatives)[problem.creative], "segment": problem.segment}
    found = {}
    tried = {f"alpha {alpha:g}": ((alpha,), "one_standard_error") for alpha in ALPHAS}
    tried |= {f"alpha chosen, `{rule}`": (DEFAULTS, rule) for rule in ("one_standard_error", "best")}
    for title, (alphas, rule) in tried.items():
        model = CreativeSegmentsCV(alphas, n_lams=LAMS, rule=rule, seed=seed)
        found[title] = Found.of(model.fit(problem.X, problem.response, **exposure), problem, people)
    return found


def _mean(found: list[Found], name: str, of: int) -> str:
    return f"{np.mean([getattr(each, name) for each in found]):.1f} of {of}"
