"""Threads share the rows and change no number."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from causal_tasks.segments import CreativeSegments, SeparateCreatives, host_rows


def fitted(threads):
    random = np.random.default_rng(0)
    X, creative = random.normal(size=(3_000, 5)), random.choice(["a", "b", "c"], 3_000)
    response = (random.random(3_000) < 1 / (1 + np.exp(-X[:, 0]))).astype(float)
    segment = {"a": "one", "b": "one", "c": "two"}
    model = CreativeSegments(0.1, relative=True, n_jobs=threads, tol=1e-6)
    return model.fit(X, response, creative=creative, segment=segment)


def test_the_number_of_threads_changes_nothing(monkeypatch):
    monkeypatch.setattr(host_rows, "BLOCK_BYTES", 4_096)
    monkeypatch.setattr(host_rows, "THREAD_BYTES", 1)
    started, pool = [], host_rows.ThreadPoolExecutor
    monkeypatch.setattr(host_rows, "ThreadPoolExecutor", lambda threads: started.append(threads) or pool(threads))
    alone, shared = fitted(1), fitted(3)
    assert set(started) == {3}
    np.testing.assert_array_equal(alone.beta_, shared.beta_)
    assert alone.objective_ == shared.objective_


def test_few_rows_are_not_worth_a_thread(monkeypatch):
    monkeypatch.setattr(host_rows, "ThreadPoolExecutor", None)
    assert fitted(8).converged_


@pytest.mark.parametrize("kind", [CreativeSegments, SeparateCreatives])
def test_linear_algebra_starts_no_threads_beside_them(kind, monkeypatch):
    seen, residuals = [], host_rows.HostRows.residuals

    def spied(rows, *coefficients):
        seen.append(max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"))
        return residuals(rows, *coefficients)

    random = np.random.default_rng(0)
    X, creative = random.normal(size=(400, 3)), random.choice(["a", "b"], 400)
    segment = {"a": "one", "b": "one"}
    monkeypatch.setattr(host_rows.HostRows, "residuals", spied)
    with threadpool_limits(2):
        kind(0.1, relative=True).fit(X, (X[:, 0] > random.normal(size=400)) * 1.0, creative=creative, segment=segment)
    # The largest penalties are told before.
    assert seen[-5:] == [1] * 5
