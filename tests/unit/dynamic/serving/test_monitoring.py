"""The histogram's buckets are those of Prometheus, and labels are escaped."""

from causal_tasks.dynamic.serving.monitoring import LatencyHistogram, Monitoring


def test_buckets_hold_all_that_was_as_fast_or_faster():
    histogram = LatencyHistogram((0.001, 0.01))
    for seconds in (0.0001, 0.001, 0.0011, 0.01, 0.5):
        histogram.observe(seconds)
    assert list(histogram.lines("t")) == [
        't_bucket{le="0.001"} 2',
        't_bucket{le="0.01"} 4',
        't_bucket{le="+Inf"} 5',
        "t_sum 0.5122",
        "t_count 5",
    ]


def test_every_sample_has_a_type_and_labels_are_escaped():
    monitoring = Monitoring()
    monitoring.arms['more "long"\n\\'] += 2
    monitoring.statuses[200] += 2
    text = monitoring.text({"causal_lookup_users": ("Users with scores.", 3.0)})
    assert r'causal_decisions_total{arm="more \"long\"\n\\"} 2' in text
    assert 'causal_decide_requests_total{status="200"} 2' in text
    assert text.endswith("# TYPE causal_lookup_users gauge\ncausal_lookup_users 3.0\n")
    typed = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    for line in text.splitlines():
        if not line.startswith("#"):
            name = line.split("{")[0].split()[0]
            assert name in typed or name.rsplit("_", 1)[0] in typed
