"""``python -m benchmarks.observational``: matching and doubly robust scores where the answer is known.

LaLonde: the users of a randomised job training compared with people of two surveys who never took part, held against
the experiment's own answer. IHDP: outcomes that were simulated, so that the effect on everybody is known.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
import typer

from benchmarks.document import circumstances, table, write_section
from benchmarks.interruption import run_command
from causal_tasks.base_models import XGBoost
from causal_tasks.effects import (
    Effect,
    cross_fitted_propensity,
    difference_in_differences,
    difference_in_means,
    match_on_propensity,
)
from causal_tasks.effects.matched_units import OVERLAP
from causal_tasks.evaluation import dr_scores
from causal_tasks.evaluation.estimate import Estimate, mean_estimate

PAGE = Path(__file__).resolve().parent.parent / "docs" / "observational.md"

CONTROLS = ("cps_controls", "psid_controls")
COVARIATES = ("age", "educ", "black", "hispanic", "married", "nodegr", "re74", "re75")
METHODS: dict[str, dict[str, Any]] = {
    "5 buckets": {"buckets": 5},
    "20 buckets": {"buckets": 20},
    "100 buckets": {"buckets": 100},
    "nearest": {"method": "nearest"},
}
FOLDS = 5


class Answer(NamedTuple):
    """What one way of comparing says about the effect of the training on earnings of 1978.

    Attributes:
        controls: Whom the trained are compared with.
        method: How.
        effect: On earnings, dollars of 1982.
        did: On the change since 1975.
        matched: Trained people who were compared with anybody.
    """

    controls: str
    method: str
    effect: Effect
    did: Effect
    matched: int


class Realisation(NamedTuple):
    """One of the simulated outcomes of IHDP.

    Attributes:
        number: From 1.
        truth: Average effect.
        spread: Standard deviation of the effect over units: what an error is to be held against.
        plain: Difference in means.
        estimate: Mean of doubly robust scores.
    """

    number: int
    truth: float
    spread: float
    plain: float
    estimate: Estimate


def experiment(lalonde: pd.DataFrame) -> Effect:
    """The answer of the randomised experiment, subset of Dehejia and Wahba."""
    drawn = lalonde[lalonde["source"] == "nsw_dw"]
    return difference_in_means(drawn["re78"], drawn["treat"])


def compare_with_survey(lalonde: pd.DataFrame, controls: str, *, seed: int = 0) -> Iterator[Answer]:
    """The trained of the experiment beside the people of a survey, first as they are, then matched."""
    trained = (lalonde["source"] == "nsw_dw") & (lalonde["treat"] == 1)
    people = lalonde[trained | (lalonde["source"] == controls)].reset_index(drop=True)
    outcome, treated, before = people["re78"], people["treat"], people["re75"]
    plain, change = difference_in_means(outcome, treated), difference_in_differences(outcome, treated, before)
    yield Answer(controls, "not matched", plain, change, plain.n_treatment)
    covariates = people[list(COVARIATES)]
    propensity = cross_fitted_propensity(covariates, treated, seed=seed).values
    for name, options in METHODS.items():
        found = match_on_propensity(
            outcome, treated, covariates, propensity=propensity, pre_outcome=before, seed=seed, **options
        )
        assert found.did is not None
        yield Answer(controls, name, found.effect, found.did, found.effect.n_treatment)


def realisations(ihdp: pd.DataFrame) -> Iterator[Realisation]:
    """Doubly robust average effects by cross-fitted models, beside the truth."""
    for number, units in ihdp.groupby("realization"):
        rows = units.reset_index(drop=True)
        outcome, treated = rows["y_factual"].to_numpy(), rows["treatment"].to_numpy() == 1
        effect = (rows["mu1"] - rows["mu0"]).to_numpy()
        yield Realisation(
            number=int(str(number)),
            truth=float(effect.mean()),
            spread=float(effect.std()),
            plain=difference_in_means(outcome, treated).estimate,
            estimate=mean_estimate(_scores(rows.filter(regex=r"^x\d+$"), outcome, treated)),
        )


def _scores(covariates: pd.DataFrame, outcome: Any, treated: Any) -> Any:
    fold = _folds_within_arms(treated)
    propensity = np.clip(cross_fitted_propensity(covariates, treated, folds=fold).values, *OVERLAP)
    means = np.empty((len(treated), 2))
    for held_out in range(FOLDS):
        for arm in (0, 1):
            learned, unseen = (fold != held_out) & (treated == arm), fold == held_out
            means[unseen, arm] = XGBoost().fit(covariates[learned], outcome[learned]).predict(covariates[unseen])
    return dr_scores(outcome, treated, means[:, 0], means[:, 1], propensity)


def _folds_within_arms(treated: Any) -> Any:
    """Folds that hold the same share of both arms: the treated are few."""
    fold = np.empty(len(treated), dtype=np.intp)
    random = np.random.default_rng(0)
    for arm in (treated, ~treated):
        fold[arm] = random.permutation(int(arm.sum())) % FOLDS
    return fold


def lalonde_table(lalonde: pd.DataFrame, seeds: range) -> str:
    """The comparison with both surveys as Markdown; estimates of the first seed, and their range over all."""
    rows = []
    for controls in CONTROLS:
        runs = [list(compare_with_survey(lalonde, controls, seed=seed)) for seed in seeds]
        for answers in zip(*runs, strict=True):
            first = answers[0]
            rows.append(
                [
                    f"{controls.split('_')[0].upper()}, {first.method}",
                    f"{first.matched} of {runs[0][0].matched}",
                    _dollars(first.effect),
                    _range([answer.effect.estimate for answer in answers]),
                    _dollars(first.did),
                    _range([answer.did.estimate for answer in answers]),
                ]
            )
    rows.append(["**the experiment**", "", _dollars(experiment(lalonde)), "", "", ""])
    header = ["compared with", "trained matched", "effect (error)", "over seeds", "DID (error)", "over seeds"]
    return table(header, rows)


def ihdp_table(found: list[Realisation]) -> str:
    """The realisations as Markdown."""
    rows = [
        [
            str(one.number),
            f"{one.truth:.2f}",
            f"{one.spread:.2f}",
            f"{one.plain:.2f}",
            f"{one.estimate.estimate:.2f} ({one.estimate.standard_error:.2f})",
            f"{(one.estimate.estimate - one.truth) / one.spread:+.3f}",
            "yes" if one.estimate.interval[0] <= one.truth <= one.estimate.interval[1] else "no",
        ]
        for one in found
    ]
    header = [
        *("realisation", "true effect", "spread", "difference in means", "doubly robust (error)"),
        *("error / spread", "95 % interval holds it"),
    ]
    return table(header, rows)


def _dollars(effect: Effect) -> str:
    return f"{effect.estimate:,.0f} ({effect.standard_error:,.0f})"


def _range(values: list[float]) -> str:
    return f"{min(values):,.0f} to {max(values):,.0f}"


def main(
    data: Annotated[Path, typer.Option(envvar="CAUSAL_TEST_DATA", help="Folder of the public data sets.")],
    seeds: Annotated[int, typer.Option(help="Cross-fits of the LaLonde propensities.")] = 5,
    page: Annotated[Path, typer.Option(help="Markdown file with the markers of 'lalonde' and 'ihdp'.")] = PAGE,
) -> None:
    """Compare with the known answers and write both tables into the page."""
    before = circumstances("benchmarks.observational")
    sections = {
        "lalonde": lalonde_table(pd.read_csv(data / "lalonde.csv.gz"), range(seeds)),
        "ihdp": ihdp_table(list(realisations(pd.read_csv(data / "ihdp_npci_1_10.csv.gz")))),
    }
    for name, content in sections.items():
        print(content)
        write_section(page, name, f"{before}\n\n{content}")


if __name__ == "__main__":
    run_command(main)
