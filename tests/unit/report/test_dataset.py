"""A dataset has a file and no days: the report speaks of the one and not of the other."""

import pytest

from causal_tasks.report.html import render_html
from tests.unit.report import sample

URI = "s3://lake/datasets/shop/users.parquet"


@pytest.fixture(scope="module")
def page():
    statement = {key: value for key, value in sample.STATEMENT.items() if key not in {"window", "started_at"}}
    waterfall = sample.waterfall()
    steps = [step for step in waterfall["steps"] if step["step"] not in {"two_arms", "immature"}]
    profile = sample.profile() | {
        "cutoff": None,
        "last_metrics_day": None,
        "tables": {"dataset": {"files": 1, "rows": 79_614}},
        "duplicate_rows": {},
        "transitions": {},
        "dropped_metrics_rows": {},
    }
    changes = {"waterfall": {"steps": steps}, "profile": profile, "did": [], "tuning": {}}
    experiment = sample.Experiment.model_validate(
        statement | {"dataset": {"uri": URI}, "delivery": {"languages": ["en"]}}
    )
    return render_html(sample.assemble(experiment, sample.findings("found_positive", **changes), sample.RUN))


def test_the_footer_names_the_file_and_its_rows(page):
    assert f"{URI} (79,614 rows)" in page
    assert "<dt>Rows of data</dt>" not in page


def test_nothing_is_said_of_windows_days_or_a_pre_period(page):
    for words in ("<dt>Window</dt>", "<dt>Data up to</dt>", "adjusted by CUPED", "first exposed"):
        assert words not in page
    assert "Rows of the dataset" in page
