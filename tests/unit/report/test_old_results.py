"""Results that were written before a field existed are still told in every view."""

import pytest

from causal_tasks.report.content import tell
from causal_tasks.report.html import render_html
from causal_tasks.report.markdown import render_markdown
from causal_tasks.report.message import result_messages
from tests.unit.report import sample


@pytest.mark.parametrize("ending", sample.ENDINGS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_ending_of_version_2_is_told(ending, language):
    result = sample.of_version_2(ending)
    assert result["verdict"]["headline"][language] == tell(result, language).headline
    assert len(render_markdown(result, language)) > 2000
    assert result_messages(result, language, None)


def test_the_page_leaves_out_what_was_not_known():
    result = sample.of_version_2("found_positive")
    result["experiment"] |= {"delivery": result["experiment"]["delivery"] | {"languages": ["en"]}}
    result["models"] |= {"tuning": {}}
    page = render_html(result)
    assert "age ≤ 25" in page
    for section in ("What each rollout is worth", "Next: the follow-up experiment", "What drives the differences"):
        assert section not in page


def test_nothing_found_in_version_2_is_not_called_one_decision():
    assert tell(sample.of_version_2("nothing_found"), "zh").badge == "未发现差异人群"
