"""The tuning history: every trial has its mark, and the title says what was gained and whether it lasted."""

import pytest

from causal_tasks.report.charts import NARROW, WIDE, to_svg, tuning_chart
from causal_tasks.report.content import tell
from causal_tasks.report.palette import PALETTES
from tests.unit.report import sample
from tests.unit.report import sample_models as models


def told(language="en", **changes):
    return tell(sample.result("found_positive", changes), language).tuning


def drawn(tuning, layout=WIDE):
    """The layers of each panel, by the kind of mark: shape for points, else type."""
    chart = tuning_chart(tuning, layout, "safe").to_dict(validate=False)
    return [
        {
            layer["mark"].get("shape", layer["mark"]["type"]): layer
            | {"values": [(row["number"], row["score"]) for row in chart["datasets"][layer["data"]["name"]]]}
            for layer in panel["layer"]
        }
        for panel in chart["concat"]
    ]


def test_every_trial_has_one_mark_and_kinds_differ_in_shape():
    for panel, tuned in zip(drawn(told()), models.tuning().values(), strict=True):
        trials = {trial["number"]: trial for trial in tuned["trials"]}
        assert panel["diamond"]["values"] == [(0, trials[0]["auuc"])]
        complete, pruned = panel["circle"]["values"], panel["cross"]["values"]
        assert complete == [(n, t["auuc"]) for n, t in trials.items() if n and t["state"] == "complete"]
        assert pruned == [(n, t["rung_auucs"][-1]) for n, t in trials.items() if t["state"] == "pruned"]
        assert panel["circle"]["mark"]["color"] == PALETTES["safe"].good != panel["cross"]["mark"]["color"]
        assert panel["cross"]["mark"]["size"] < panel["circle"]["mark"]["size"]


def test_the_step_line_is_the_best_complete_score_so_far():
    line = drawn(told())[0]["line"]
    assert line["mark"]["interpolate"] == "step-after"
    assert [score for _, score in line["values"]] == [
        0.94, 0.94, 1.02, 1.02, 1.02, 1.11, 1.11, 1.11, 1.31, 1.31, 1.31, 1.31, 1.31,
    ]  # fmt: skip


def test_panels_share_their_axes():
    domains = {
        (tuple(layer["encoding"]["x"]["scale"]["domain"]), tuple(layer["encoding"]["y"]["scale"]["domain"]))
        for panel in drawn(told())
        for layer in panel.values()
    }
    ((x, y),) = domains
    assert x == (-0.5, 12.5)
    assert y[0] < 0.4
    assert y[1] > 1.31


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_each_panel_names_its_finalist_and_what_it_gained(layout):
    svg = to_svg(tuning_chart(told("zh"), layout, "safe"), layout)
    for text in ("x_lightgbm", "+0.94 → +1.31", "t_lightgbm", "+0.88 → +1.05", "默认参数最好（+0.97）", "试验序号"):
        assert text in svg


def test_the_title_says_what_the_winner_gained_and_the_caveat_what_that_is_worth():
    tuning = told()
    assert tuning.title == (
        "Tuning raised the score of x_lightgbm from +0.94 minutes to +1.31 minutes on the validation users"
    )
    assert "The best of 13 trials on the same users looks better than it is" in tuning.caveat


def test_a_gain_that_did_not_last_is_told():
    board = [models.entrant("t_lightgbm", 1.26), models.entrant("x_lightgbm.tuned", 1.2, -0.06)]
    tuning = told(selection=models.selection(winner="t_lightgbm", board=board))
    assert tuning.title.startswith("Tuning raised the score of t_lightgbm from +0.88 minutes")
    assert tuning.title.endswith(", but default parameters won the final comparison")


def test_of_a_winner_that_tuning_did_not_improve_the_largest_gain_is_told():
    board = [models.entrant("s_xgboost", 1.26), models.entrant("x_lightgbm.tuned", 1.2, -0.06)]
    tuning = told("zh", selection=models.selection(winner="s_xgboost", board=board))
    assert tuning.title == (
        "调参使 x_lightgbm 在验证用户上的得分从 +0.94 分钟 提高到 +1.31 分钟，但最终比较中默认参数胜出"
    )


def test_tuning_that_found_nothing_says_so():
    tuning = told("zh", tuning={"s_xgboost": models.tuning()["s_xgboost"]})
    assert tuning.title == "调参没有找到比默认参数更好的参数"


def test_a_time_limit_that_was_reached_is_told():
    history = models.history("x_lightgbm", (0.9, 1.0), notes=["stopped_early"])
    assert "x_lightgbm ended at the time limit (mining.seconds)" in told(tuning={"x_lightgbm": history}).caveat
    assert "mining.seconds" not in told().caveat


def test_without_a_second_trial_there_is_no_chart():
    alone = {"x_lightgbm": models.history("x_lightgbm", (0.9,))}
    assert told(tuning=alone) is None


def test_equal_scores_can_be_drawn():
    tuning = told(tuning={"x_lightgbm": models.history("x_lightgbm", (0.9, 0.9))})
    assert "<svg" in to_svg(tuning_chart(tuning, WIDE, "safe"), WIDE)


def test_the_page_shows_the_chart_with_its_words(page):
    assert 'alt="Tuning history: Tuning raised the score of x_lightgbm' in page
    assert "Diamond: default parameters; circles: complete trials; grey crosses: trials stopped early" in page


def test_shares_are_drawn_in_percentage_points():
    metrics = [
        sample.STATEMENT["metrics"][1] | {"role": "primary"},
        sample.STATEMENT["metrics"][0] | {"role": "guardrail"},
    ]
    effects = [
        sample.measured("active", "primary", 0.01, 0.002, 0.7),
        sample.measured("play_minutes", "guardrail", 0.4, 0.2, 96.0),
    ]
    changes = {"effects": effects, "tuning": {"x_lightgbm": models.history("x_lightgbm", (0.011, 0.013))}}
    tuning = tell(sample.result("found_positive", changes, metrics=metrics), "en").tuning
    assert tuning.y_title == "AUUC (percentage points)"
    assert [point.score for point in tuning.panels[0].points] == pytest.approx([1.1, 1.3])
    assert "from +1.10 pp to +1.30 pp" in tuning.title
