"""The report as a person sees it: in a real browser, on a desk and on a phone."""

import shutil

import pytest
from playwright.sync_api import sync_playwright

from causal_tasks.report.allocation import render_allocation_html
from causal_tasks.report.dynamic import render_day_html
from causal_tasks.report.html import render_html
from causal_tasks.report.segments import render_segments_html
from tests.unit.report import sample
from tests.unit.report.allocation import sample as allocation
from tests.unit.report.dynamic import sample as realtime
from tests.unit.report.segments import sample as segments

DESK, PHONE = {"width": 1200, "height": 900}, {"width": 360, "height": 740}
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def browser():
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        yield running
        running.close()


def many_budgets():
    """Twelve budgets, and an arm whose name fits no column."""
    arms = ("无券", "coupon_of_the_house", "一张非常非常长的优惠券名称用来测试换行与溢出" * 2)
    return allocation.result(budgets=tuple(step / 10 for step in range(1, 13)), arms=arms)


def many_creatives():
    """Twelve creatives in four segments, with names that fit no column."""
    named = {
        f"人群名称非常非常长的第{row}个 segment_with_a_long_name": tuple(
            f"creative_of_the_house_{row}_{column}_一条非常长的创意名称用来测试换行" for column in range(3)
        )
        for row in range(4)
    }
    return segments.result(named=named)


def many_treatments():
    """Four treatments with names that fit no column."""
    arms = {
        f"arm_of_the_house_{row}_一个非常非常长的策略名称用来测试换行": "a_bucket_with_a_long_name" for row in range(4)
    }
    result = realtime.result(feed={"treatments": arms})
    curve = [row | {"treatment": arm} for arm in arms for row in result["thresholds"]["curve"][:6]]
    chosen = dict.fromkeys(arms, 12.5)
    result["thresholds"] |= {"chosen": chosen, "switched_share": dict.fromkeys(arms, 0.2), "curve": curve}
    result["served"] |= {"thresholds": chosen}
    result["drift"] |= {"deployed": chosen}
    result["drift"]["rows"][5] |= {"thresholds": dict.fromkeys(arms, 40.0)}
    return result


STORIES = {
    "found_both": lambda: render_html(sample.result()),
    "one_decision": lambda: render_html(sample.result("nothing_found")),
    "invalid": lambda: render_html(sample.result("invalid")),
    "observational": lambda: render_html(sample.observational()),
    "follow_up": lambda: render_html(sample.follow_up_result()),
    "several_treatments": lambda: render_html(sample.several_arms()),
    "version_2": lambda: render_html(sample.of_version_2()),
    "allocation": lambda: render_allocation_html(many_budgets()),
    "realtime": lambda: render_day_html(many_treatments()),
    "realtime_without_requests": lambda: render_day_html(realtime.preference_only("not_shown")),
    "segments": lambda: render_segments_html(many_creatives()),
    "segments_nothing_found": lambda: render_segments_html(segments.result("nothing_found")),
    "allocation_invalid": lambda: render_allocation_html(allocation.result("invalid")),
}


@pytest.fixture(scope="module", params=STORIES)
def report(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(STORIES[request.param]())
    return path.as_uri()


def opened(browser, address, viewport):
    page = browser.new_page(viewport=viewport)
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or complaints.append(request.url))
    page.goto(address)
    return page, complaints


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_the_page_fits_its_screen_and_the_browser_has_no_complaint(browser, report, viewport):
    page, complaints = opened(browser, report, viewport)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert all(page.evaluate("[...document.images].map(i => i.complete && (i.naturalWidth > 0 || !i.offsetParent))"))
    assert complaints == []
    page.close()


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_unfolded_it_fits_its_screen_too_and_every_picture_is_there(browser, report, viewport):
    page, complaints = opened(browser, report, viewport)
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    page.evaluate("Promise.all([...document.images].map(image => image.decode().catch(() => null)))")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.evaluate("[...document.images].filter(i => i.offsetParent && i.naturalWidth === 0).length") == 0
    assert complaints == []
    page.close()


def test_the_language_is_switched_without_a_script(browser, report):
    page, _ = opened(browser, report, DESK)
    chinese, english = page.locator(".edition-zh"), page.locator(".edition-en")
    assert (chinese.is_visible(), english.is_visible()) == (True, False)
    page.get_by_text("English", exact=True).click()
    assert (chinese.is_visible(), english.is_visible()) == (False, True)
    page.close()
