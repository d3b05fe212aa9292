"""How often the whole pipeline finds something where nothing is."""

import pytest
from scipy.stats import binomtest

from causal_tasks import Settings, run_experiment
from causal_tasks.data.simulate import simulate_experiment
from causal_tasks.experiment import Mining
from tests.statistical.page import write_section

EXPERIMENTS, USERS = 20, 20_000
LIGHT = Mining(candidates=("t_lightgbm",), finalists=1, trials=1, placebos=0)

BODY = """{experiments} simulated experiments of {users:,} users without any effect, from raw tables to the report, with
one candidate, `{candidate}`, that is not tuned.

| what was claimed | runs | share |
|---|---|---|
| a confirmed subpopulation | {confirmed} | {confirmed_share:.1%} |
| a rule with q at most 0.10 | {discovered} | {discovered_share:.1%} (95 % interval {low:.1%} to {high:.1%}) |
| an average effect with p < 0.05 | {average} | {average_share:.1%} |
| a rule whose 95 % interval excludes zero, of {rules} shown | {excluding} | {excluding_share:.1%} |
"""


def mined(folder, seed):
    settings = Settings(lake=f"file://{folder}")
    experiment = simulate_experiment(
        settings, experiment_id=f"null_{seed}", users=USERS, effect=0, seed=seed, mining=LIGHT
    )
    return run_experiment(experiment, settings)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_null_experiments_yield_rules_no_more_often_than_the_q_value_says(tmp_path):
    results = [mined(tmp_path / str(seed), seed) for seed in range(EXPERIMENTS)]
    confirmed = sum(any(row["grade"] == "confirmed" for row in result["subpopulations"]) for result in results)
    discovered = sum(any(row["q_value"] <= 0.10 for row in result["subpopulations"]) for result in results)
    primary = [next(row for row in result["effects"] if row["role"] == "primary") for result in results]
    average = sum(row["effect"]["p_value"] < 0.05 for row in primary)
    intervals = [row["effect"]["interval"] for result in results for row in result["subpopulations"]]
    excluding = sum(low > 0 or high < 0 for low, high in intervals)
    bounds = binomtest(discovered, EXPERIMENTS).proportion_ci()
    write_section(
        "From raw tables to the report",
        BODY.format(
            experiments=EXPERIMENTS,
            users=USERS,
            candidate=LIGHT.candidates[0],
            confirmed=confirmed,
            confirmed_share=confirmed / EXPERIMENTS,
            discovered=discovered,
            discovered_share=discovered / EXPERIMENTS,
            low=bounds.low,
            high=bounds.high,
            average=average,
            average_share=average / EXPERIMENTS,
            rules=len(intervals),
            excluding=excluding,
            excluding_share=excluding / len(intervals),
        ),
    )
    assert confirmed <= discovered
    assert bounds.low <= 0.10
    assert binomtest(average, EXPERIMENTS, 0.05).pvalue > 0.01
