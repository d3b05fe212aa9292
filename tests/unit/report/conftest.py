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
    found |= {"words": display, "sql": HOSTILE, "treatment": HOSTILE, "overlap": {"s2": 0.5}}
    found["stability"] |= {"features": {HOSTILE: 0.9}, "cuts": {HOSTILE: [1.0, 2.0, 3.0]}}
    other = found | {"id": "s2", "grade": "promising", "reasons": ["fcr"]}
    repeat = {"treatment": HOSTILE, "words": display, "of": "s1", "jaccard": 0.8}
    characteristic = sample.evidence()["characteristics"]["treatment"][2] | {"feature": HOSTILE, "level": HOSTILE}
    evidence = sample.evidence(treatments=(HOSTILE,)) | {
        "characteristics": {HOSTILE: [characteristic]},
        "repeats": [repeat],
    }
    balance = sample.balance((HOSTILE,))
    balance[HOSTILE] |= {"covariates": [{"feature": HOSTILE, "level": HOSTILE, "before": 0.4, "after": 0.1}]}
    driver = {"feature": HOSTILE, "importance": 0.4, "interval": [0.3, 0.5]}
    planned = sample.findings("found_positive").follow_up[0]
    planned |= {"treatment": HOSTILE, "experiment": planned["experiment"] | {"owner": HOSTILE}}
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
            "subpopulations": [found, other],
            "tree": tree,
            "waterfall": waterfall,
            "effects": sample.effects((HOSTILE,)),
            "did": sample.did((HOSTILE,)),
            "balance": balance,
            "drivers": {HOSTILE: [driver]},
            "evidence": evidence,
            "follow_up": [planned],
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
