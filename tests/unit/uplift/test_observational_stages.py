"""Learning where nobody randomised: rankings weigh users by their propensity and leave out those without a like."""

import numpy as np
import pandas as pd
import pytest

from causal_tasks.base_models import DesignMatrix
from causal_tasks.effects.matched_units import match_in_buckets
from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc, auuc_interval
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.uplift import candidate
from tests.unit.uplift.learning_runs import (
    Mined,
    committed,
    json_of,
    opened,
    output,
    predictions_of,
    prepared,
    statement,
    trained,
)


def comparison(**changes):
    return statement(randomized=False, **changes)


def confounded(experiment, *, n=3000, seed=0):
    """Users who take a treatment the likelier the larger x0, which also raises the outcome; and what validate writes."""
    users, _ = prepared(experiment, n=n, seed=seed)
    random = np.random.default_rng(seed)
    x0 = users["x0"].fillna(0).to_numpy(dtype=np.float64)
    odds = np.column_stack([np.ones(n), *(np.exp(k * x0 - 0.3) for k in range(1, len(experiment.arms)))])
    arm = (random.random((n, 1)) > np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
    users["arm"] = pd.Categorical.from_codes(arm, categories=list(experiment.arms))
    users["y__minutes"] = 5 + 2 * x0 + (arm > 0) * (x0 < 0) + random.normal(size=n)
    columns = {"unit": users["unit"]}
    for position, treatment in enumerate(experiment.treatments, start=1):
        propensity = odds[:, position] / (odds[:, 0] + odds[:, position])
        kept = np.isin(arm, (0, position)) & (propensity > 0.1) & (propensity < 0.9)
        columns |= {f"propensity__{treatment}": propensity, f"kept__{treatment}": kept, f"weight__{treatment}": 1.0}
    return users, pd.DataFrame(columns)


def scored_rows(users, propensity, treatment):
    return ((users["part"] == "discovery") & users["y__minutes"].notna() & propensity[f"kept__{treatment}"]).to_numpy()


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    experiment = comparison()
    users, propensity = confounded(experiment)
    folder = tmp_path_factory.mktemp("learned")
    return users, propensity, *trained(folder, experiment, users, propensity=propensity)


def test_a_card_weighs_users_by_propensity_and_leaves_out_those_not_kept(learned):
    users, propensity, run, _, result = learned
    rows = scored_rows(users, propensity, "on")
    uplift = predictions_of(run, result)["uplift__on"][rows]
    arguments = users["y__minutes"][rows], uplift, users["arm"][rows]
    scores = propensity["propensity__on"][rows]
    card = json_of(run, result, "card")["auuc"]["on"]["estimate"]
    assert card == pytest.approx(auuc(*arguments, control="off", propensity=scores), rel=1e-9)
    assert card < 0.5 * auuc(*arguments, control="off"), "a plain score takes the confounding for a gain"


def test_the_guard_holds_predictions_against_users_of_like_propensity(learned):
    users, propensity, run, _, result = learned
    guard = json_of(run, result, "card")["guards"]["on"]
    rows = scored_rows(users, propensity, "on")
    outcome, on = users["y__minutes"][rows], users["arm"][rows] == "on"
    raw = outcome[on].mean() - outcome[~on].mean()
    assert raw > 1.5
    low, high = guard["measured"]["interval"]
    truth = (users["x0"][rows][on].fillna(0) < 0).mean()
    assert low < truth < high < raw
    uplift = predictions_of(run, result)["uplift__on"].to_numpy(dtype=np.float64)[rows]
    units = match_in_buckets(propensity["propensity__on"][rows].to_numpy(), on.to_numpy(), buckets=20)
    assert guard["mean"] == pytest.approx(uplift[units.matched & units.treated].mean(), rel=1e-6)
    assert guard["agrees"] == (low <= guard["mean"] <= high)


def test_a_trial_is_scored_with_the_columns_of_its_treatments_whatever_their_order(tmp_path):
    experiment = comparison(treatments=["z", "a"])
    users, propensity = confounded(experiment, n=4000)
    run, manifests = opened(tmp_path, experiment, users, propensity=propensity)
    shortlisted = committed(run, "shortlist", None, items=["t_lightgbm"])
    result = run_stage(MINE, "tune", run=run, inputs=[*manifests, shortlisted], item="t_lightgbm")
    discovery = ((users["part"] == "discovery") & users["y__minutes"].notna()).to_numpy()
    fitted, held_out = discovery & (users["fold"] < 3).to_numpy(), discovery & (users["fold"] == 3).to_numpy()
    learner = candidate("t_lightgbm", random_state=experiment.mining.seed)
    columns = ["x0", "city"]
    labels = users["arm"].astype(object).to_numpy()
    # Bins come from all users that the search is given.
    given = (discovery & (users["fold"] <= 3)).to_numpy()
    design = DesignMatrix(users.loc[given, columns]).take(np.flatnonzero(fitted[given]))
    learner.fit(design, users["y__minutes"][fitted], labels[fitted], control="off")
    assert learner.treatments_ == ["a", "z"]
    scores = np.column_stack([propensity[f"propensity__{t}"].where(propensity[f"kept__{t}"]) for t in ("a", "z")])
    expected = auuc(
        users["y__minutes"][held_out],
        learner.predict(users.loc[held_out, columns]),
        labels[held_out],
        control="off",
        propensity=scores[held_out],
    )
    assert json_of(run, result, "tuning")["trials"][0]["auuc"] == pytest.approx(expected, rel=1e-6)


def test_entrants_are_compared_with_propensities_too(tmp_path):
    experiment = comparison(treatments=["z", "a"])
    users, propensity = confounded(experiment)
    mined = Mined(tmp_path, experiment, users, ["t_lightgbm", "s_lightgbm"], propensity=propensity)
    board = mined.selection(mined.select())["board"]
    compared = ((users["part"] == "discovery") & (users["fold"] == 4) & users["y__minutes"].notna()).to_numpy()
    scores = np.column_stack([propensity[f"propensity__{t}"].where(propensity[f"kept__{t}"]) for t in ("z", "a")])
    for row in board:
        predictions = mined.run.storage.read_table(
            output(mined.run, mined.trained[row["candidate"]], "predictions"), ["uplift__z", "uplift__a"]
        )
        expected = auuc_interval(
            users["y__minutes"][compared],
            predictions.to_numpy()[compared],
            users["arm"].cat.codes[compared],
            propensity=scores[compared],
            seed=experiment.mining.seed,
        )
        assert row["auuc"] == pytest.approx(expected.estimate, rel=1e-9)
        assert row["standard_error"] == pytest.approx(expected.standard_error, rel=1e-9)


def test_x_still_models_the_propensity_inside_each_fold(tmp_path):
    experiment = comparison()
    users, propensity = confounded(experiment)
    run, _, result = trained(
        tmp_path, experiment, users, propensity=propensity, item="x_lightgbm", items=("x_lightgbm",)
    )
    assert "propensity_estimated" in json_of(run, result, "card")["notes"]


def test_a_treatment_whose_users_have_no_like_cannot_be_ranked(tmp_path):
    experiment = comparison()
    users, propensity = confounded(experiment)
    with pytest.raises(InputError, match="treatment 'on': too few discovery users have any like them"):
        trained(tmp_path, experiment, users, propensity=propensity.assign(kept__on=False))
