"""Rows on the processor: what they take of memory."""

import tracemalloc

import numpy as np
from scipy import sparse

from causal_tasks.segments.host_rows import HostRows
from causal_tasks.segments.likelihood import likelihood_of


def test_gram_matrices_of_nearly_empty_rows_take_little_memory():
    random, people, width = np.random.default_rng(0), 100_000, 200
    cells = (np.ones(50_000), (random.integers(0, people, 50_000), random.integers(0, width, 50_000)))
    matrix = sparse.csr_matrix(cells, shape=(people, width))
    response = (random.random(people) < 0.3).astype(float)
    rows = HostRows([[(matrix, response)]], likelihood_of("gaussian"), np.full(width, 0.5))
    residuals = rows.residuals(np.zeros(1), np.zeros((1, width)))
    tracemalloc.start()
    try:
        (gram,) = rows.gram(residuals)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6e7 < people * width * 8
    assert gram[0, 0] == people
    sums = np.asarray(matrix.sum(axis=0)).ravel()
    np.testing.assert_allclose(gram[0, 1:], sums - 0.5 * people)
    exact = (matrix.T @ matrix).toarray() - 0.5 * (sums[:, None] + sums) + 0.25 * people
    np.testing.assert_allclose(gram[1:, 1:], exact, atol=1e-6)
