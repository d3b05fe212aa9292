"""TARNet against DragonNet where the truth is known, with users who chose the treatment themselves and without."""

import numpy as np
import pytest
import torch
from scipy.special import expit

from causal_tasks.base_models import DesignMatrix
from causal_tasks.uplift.networks import DragonNet, DualHead
from causal_tasks.uplift.networks.held_out import held_out_rows
from causal_tasks.uplift.networks.losses import covariates
from causal_tasks.uplift.training_data import TrainingData
from tests.statistical.page import table, write_section

SEEDS, USERS = 20, 5_000

INTRODUCTION = """{seeds} samples of {users:,} users with ten features, an effect that two of them decide and noise of
standard deviation 1. Confounded: features that raise the outcome make the treatment likelier, and the propensity is not
told. Errors are root mean squares: of the average effect over the samples, of the effects over the users of a sample,
averaged over the samples. The last column is the score equation of targeted regularisation on the rows that were
trained on, the worst sample, in standard deviations of the outcome.

"""


def sample(seed, *, confounded):
    random = np.random.default_rng(seed)
    X = random.normal(size=(USERS, 10)).astype("float32")
    lean = 1.2 * X[:, 0] + 0.8 * np.abs(X[:, 1]) - 0.6 if confounded else np.zeros(USERS)
    arm = (random.random(USERS) < expit(lean)).astype(int)
    effects = 0.5 + 0.5 * X[:, 2] + 0.5 * (X[:, 3] > 0)
    means = X[:, 0] + np.abs(X[:, 1]) + 0.5 * np.sin(2 * X[:, 4]) + effects * arm
    return X, means + random.normal(size=USERS), arm, effects


def score(learner, X, outcome, arm):
    """|mean of h (y - q - epsilon h)| over the rows that were trained on, in standard deviations of the outcome."""
    data = TrainingData.checked(X, outcome, arm, control=None, propensity=None, sample_weight=None, clusters=None)
    trained = ~held_out_rows(data, learner.validation_share, seed=learner.random_state)
    fitted = learner.network_
    with torch.no_grad():
        encoded = map(torch.from_numpy, fitted.encoding.encode(DesignMatrix.of(X)))
        propensity = fitted.objective.divisor(fitted.network(*encoded))
        h = covariates(torch.from_numpy(arm), propensity).numpy()[:, 0]
    left = outcome - learner.predict_outcomes(X)[np.arange(len(arm)), arm]
    return abs(float(np.mean((h * left)[trained]))) / outcome.std()


def errors(*, confounded):
    """By estimate: rows of the error of the average, the root mean squared error of effects, and the score."""
    found = {"TARNet": [], "DragonNet, plain": [], "DragonNet, targeted": []}
    for seed in range(SEEDS):
        X, outcome, arm, effects = sample(seed, confounded=confounded)
        dragon_net = DragonNet(random_state=seed).fit(X, outcome, arm)
        predicted = {
            "TARNet": (DualHead(random_state=seed).fit(X, outcome, arm).predict(X), np.nan),
            "DragonNet, targeted": (dragon_net.predict(X), score(dragon_net, X, outcome, arm)),
            "DragonNet, plain": (dragon_net.set_params(targeted=False).predict(X), np.nan),
        }
        for name, (uplift, score_equation) in predicted.items():
            wrong = uplift - effects
            found[name].append((wrong.mean(), root_mean_square(wrong), score_equation))
    return {name: np.array(rows) for name, rows in found.items()}


def root_mean_square(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_dragon_net_errs_less_than_tarnet_where_users_chose_and_alike_where_they_were_drawn():
    found = {design: errors(confounded=design == "confounded") for design in ("confounded", "randomised")}
    average = {(d, n): root_mean_square(rows[:, 0]) for d, names in found.items() for n, rows in names.items()}
    rows = [
        (
            design,
            name,
            f"{average[design, name]:.3f}",
            f"{one[:, 0].mean():+.3f}",
            f"{one[:, 1].mean():.3f}",
            "" if np.isnan(one[0, 2]) else f"{one[:, 2].max():.4f}",
        )
        for design, names in found.items()
        for name, one in names.items()
    ]
    columns = ("users", "network", "error of the average", "bias of the average", "error of effects", "score equation")
    write_section(
        "Networks: TARNet against DragonNet",
        INTRODUCTION.format(seeds=SEEDS, users=USERS) + table(columns, rows),
    )
    targeted = "DragonNet, targeted"
    assert average["confounded", targeted] <= average["confounded", "TARNet"]
    assert average["randomised", targeted] < 1.25 * average["randomised", "TARNet"]
    assert max(names[targeted][:, 2].max() for names in found.values()) < 0.02
