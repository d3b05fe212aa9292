"""When a dataset's experiment ran is told only where somebody stated it."""

from causal_tasks.report.briefing import Briefing
from causal_tasks.report.sections.facts import tell_facts
from tests.unit.report import sample


def facts(**days):
    profile = sample.profile() | {"tables": {"dataset": {"files": 1, "rows": 9}}, "last_metrics_day": None}
    stated = {"dataset": {"uri": "s3://lake/users.csv"}, "window": {}, "started_at": None, "ended_at": None}
    result = sample.result("found_positive", {"profile": profile}, **(stated | days))
    return dict(tell_facts(Briefing.of(result, "en"), "0" * 64).rows)


def test_days_that_nobody_stated_are_left_out():
    assert facts()["Data file"] == "s3://lake/users.csv (9 rows)"
    assert "Period" not in facts()


def test_days_that_somebody_stated_are_told():
    days = {"started_at": "2026-03-01T00:00:00+08:00", "ended_at": "2026-03-20T00:00:00+08:00"}
    assert facts(**days)["Period"] == "1 Mar 2026 to 20 Mar 2026"
