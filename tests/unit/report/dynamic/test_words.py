"""Every ending, way to decide, guard, light and piece of news of a feed's day has its words in both languages."""

from typing import get_args

import pytest

from causal_tasks.feed import Serving
from causal_tasks.report.text import catalog
from causal_tasks.rule import LANGUAGES
from tests.unit.report.dynamic import sample
from tests.unit.report.dynamic.test_message import NEWS


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_ending_policy_guard_light_stage_and_piece_of_news_has_its_words(language):
    wanted = {f"{part}.{code}" for code in sample.CODES for part in ("badge", "headline", "action")}
    policies = set(sample.result()["policies"]) - {"dynamic"}
    wanted |= {f"policy.{name}" for name in policies} | {f"policy.dynamic.{unit}" for unit in ("request", "period")}
    wanted |= {f"gains.{tone}.{unit}" for tone in ("good", "unclear", "bad") for unit in ("request", "period")}
    wanted |= {f"guard.{state}" for state in ("kept", "open", "broken")}
    wanted |= {f"stage.{stage}" for stage in get_args(Serving.model_fields["stage"].annotation)}
    wanted |= {f"training.{how}" for how in ("anew", "refreshed")}
    wanted |= {f"training.why.{reason}" for reason in ("first", "anew_every", "features", "levels")}
    wanted |= {f"headline.not_shown_{why}" for why in ("never", "few")}
    wanted |= {f"news.{code}" for code in NEWS}
    assert {f"realtime.{key}" for key in wanted} <= catalog(language).sentences.keys()
