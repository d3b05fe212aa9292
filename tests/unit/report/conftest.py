import pytest

from causal_tasks.report.html import render_html
from tests.unit.report import sample
from tests.unit.report import sample_models as models

HOSTILE = '</script><script>alert(1)</script>"><img src=x onerror=alert(2)> {{ 7*7 }} <@all> [x](https://evil.test) www.evil.test `|`*'
"""A name that would run, mention, link or break out wherever it is not treated as text."""


@pytest.fixture(scope="session")
def hostile_result():
    """A result in which every name that a user gives is hostile."""
    display = {"zh": HOSTILE, "en": HOSTILE}
    statement = sample.STATEMENT
    metrics = [metric | {"display": display, "unit": display} for metric in statement["metrics"]]
    found = sample.segment(sample.YOUNG_NIGHT, 1, "positive", 7.9, 1.1, 0.164, "confirmed")
    found |= {"words": display, "sql": HOSTILE, "treatment": HOSTILE}
    tree = {HOSTILE: sample.tree() | {"words": display}}
    waterfall = {
        "steps": [
            {"step": step["step"], "units": {HOSTILE: 9, "control": 9}, "dropped": {HOSTILE: 0, "control": 0}}
            for step in sample.waterfall()["steps"]
        ]
    }
    failure = models.FAILURE.model_copy(update={"item": HOSTILE, "message": HOSTILE, "remedy": HOSTILE})
    return sample.result(
        "found_positive",
        {
            "subpopulations": [found],
            "tree": tree,
            "waterfall": waterfall,
            "effects": sample.effects((HOSTILE,)),
            "evidence": sample.evidence(treatments=(HOSTILE,)),
            "features": {"used": ["age"], "dropped": {HOSTILE: "id_like_feature"}},
            "checks": [sample.check("id_like_feature", "warn", HOSTILE, 0.9, 0.5, **{HOSTILE: HOSTILE})],
            "cards": models.cards((HOSTILE,)),
            "failures": {f"train/{HOSTILE}": failure, f"tune/{HOSTILE}": failure},
        },
        name=HOSTILE,
        owner=HOSTILE,
        treatments=[HOSTILE[:128]],
        metrics=metrics,
        delivery={"languages": ["zh"]},
    )


@pytest.fixture(scope="session")
def page():
    """The page of the richest ending."""
    return render_html(sample.result("found_both"))
