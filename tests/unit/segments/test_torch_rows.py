"""Rows that torch reads give what rows that numpy reads give, dense or sparse, in either precision, and refuse no GPU."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import sparse

from causal_tasks.data.creative_problems import creative_problem
from causal_tasks.errors import ConfigurationError
from causal_tasks.segments import CreativeSegments, torch_rows
from causal_tasks.segments.certificate import Point
from causal_tasks.segments.descent import Descent
from causal_tasks.segments.host_rows import HostRows
from causal_tasks.segments.likelihood import FAMILIES, likelihood_of
from causal_tasks.segments.penalty import Penalty
from causal_tasks.segments.torch_rows import TorchRows
from tests.unit.segments.random_experiments import respond

COUNTS = (700, 1, 450)
WIDTH = 9
KINDS = ["dense", "memory-mapped", "sparse", "sparse and shifted"]
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def both_rows(kind, tmp_path, *, family="binomial", dtype=np.float64, device="cpu"):
    """The same people for numpy and for torch; those of the first creative come in two parts."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")
    random = np.random.default_rng(3)
    X = random.normal(size=(sum(COUNTS), WIDTH)) * (random.random((sum(COUNTS), WIDTH)) < 0.4)
    X[:, 4] = 0
    X = X.astype(dtype)
    response = respond(X[:, :3].sum(axis=1) / 2, family, random)
    matrix = sparse.csr_matrix(X) if kind.startswith("sparse") else X
    if kind == "memory-mapped":
        matrix = np.memmap(tmp_path / "rows", dtype=dtype, mode="w+", shape=X.shape)
        matrix[:] = X
        matrix.flush()
        matrix = np.memmap(tmp_path / "rows", dtype=dtype, mode="r", shape=X.shape)
    shift = random.normal(size=WIDTH) / 3 if kind == "sparse and shifted" else None
    begins = np.array([0, 300, *np.cumsum(COUNTS)])
    pieces = [(matrix[a:b], response[a:b]) for a, b in pairwise(begins)]
    parts, likelihood = [pieces[:2], pieces[2:3], pieces[3:]], likelihood_of(family)
    host = HostRows(parts, likelihood, shift)
    return host, TorchRows(parts, likelihood, shift, device=device)


def coefficients(seed):
    random = np.random.default_rng(seed)
    return random.normal(size=len(COUNTS)) / 3, random.normal(size=(len(COUNTS), WIDTH)) / 3


def assert_alike(one, other, rtol):
    for name in type(one).__slots__:
        values = [np.asarray(getattr(record, name)) for record in (one, other)]
        np.testing.assert_allclose(*values, rtol=rtol, atol=rtol * (1 + np.abs(values[0]).max(initial=0)), err_msg=name)


def on_host(record):
    moved = {name: getattr(record, name) for name in type(record).__slots__}
    return type(record)(**{name: v.cpu().numpy() if torch.is_tensor(v) else v for name, v in moved.items()})


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(torch_rows, "PIECE_BYTES", 256 * WIDTH * 8)
    monkeypatch.setattr(torch_rows, "GRAM_COLUMNS", 4)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_pass_sees_what_numpy_sees(kind, family, device, tmp_path):
    host, other = both_rows(kind, tmp_path, family=family, device=device)
    (intercept, beta), (b_next, beta_next) = coefficients(0), coefficients(1)
    sweeps = host.start(intercept, beta), other.start(intercept, beta)
    assert_alike(sweeps[0], on_host(sweeps[1]), 1e-12)
    sweeps = [rows.sweep(last, b_next, beta_next, 0.7) for rows, last in zip((host, other), sweeps, strict=True)]
    assert sweeps[0].curvature > 0
    assert_alike(sweeps[0], on_host(sweeps[1]), 1e-12)
    seen = host.residuals(intercept, beta), other.residuals(intercept, beta)
    assert_alike(seen[0], on_host(seen[1]), 1e-12)
    assert other.loss(intercept, beta) == pytest.approx(host.loss(intercept, beta), rel=1e-12)
    np.testing.assert_allclose(host.gram(seen[0]), other.gram(seen[1]), rtol=1e-10, atol=1e-10)
    for fitted in (b_next, None), (b_next, beta_next / 100):
        projected = host.project(seen[0], *fitted), other.project(seen[1], *fitted)
        assert_alike(projected[0], on_host(projected[1]), 1e-12)
    for scale in (0.0, 0.3):
        expected = host.dual(seen[0], scale)
        assert np.isfinite(expected)
        assert other.dual(seen[1], scale) == pytest.approx(expected, rel=1e-12)
    if family != "gaussian":
        assert host.dual(seen[0], -1e3) == other.dual(seen[1], -1e3) == -np.inf


@pytest.mark.parametrize("chosen", [[1, 4, 8], []])
@pytest.mark.parametrize("kind", KINDS)
def test_chosen_columns_are_those_of_numpy(kind, chosen, tmp_path):
    host, other = both_rows(kind, tmp_path)
    chosen = np.array(chosen, dtype=np.intp)
    host, other = host.columns(chosen), other.columns(chosen)
    intercept, beta = coefficients(0)
    assert other.width == len(chosen)
    assert_alike(host.start(intercept, beta[:, chosen]), on_host(other.start(intercept, beta[:, chosen])), 1e-12)
    assert_alike(
        host.residuals(intercept, beta[:, chosen]), on_host(other.residuals(intercept, beta[:, chosen])), 1e-12
    )


@pytest.mark.parametrize("kind", KINDS)
def test_eigenvalues_are_close_to_those_of_the_gram_matrices(kind, tmp_path):
    host, other = both_rows(kind, tmp_path)
    ones = host.residuals(np.zeros(3), np.zeros((3, WIDTH)))
    grams = host.gram(ones) / ones.weight[0]  # at zero, A'' is the same for everybody
    together, single = other.largest_eigenvalues()
    np.testing.assert_allclose(single, np.linalg.eigvalsh(grams)[:, -1], rtol=0.05)
    assert together == pytest.approx(np.linalg.eigvalsh(grams[:, 1:, 1:].sum(axis=0))[-1], rel=0.05)


@pytest.mark.parametrize("kind", ["dense", "sparse and shifted"])
def test_single_precision_is_stored_and_double_precision_certifies(kind, tmp_path):
    host, other = both_rows(kind, tmp_path, dtype=np.float32)
    intercept, beta = coefficients(0)
    assert other.start(intercept, beta).logits.dtype == torch.float32
    assert_alike(host.start(intercept, beta), on_host(other.start(intercept, beta)), 1e-5)
    assert_alike(host.residuals(intercept, beta), on_host(other.residuals(intercept, beta)), 1e-12)
    host, other = host.in_double(), other.in_double()
    assert other.start(intercept, beta).logits.dtype == torch.float64
    assert_alike(host.start(intercept, beta), on_host(other.start(intercept, beta)), 1e-12)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_descent_ends_where_that_of_numpy_ends(kind, device, tmp_path):
    rows = both_rows(kind, tmp_path, family="gaussian", device=device)
    intercept, zero = rows[0].null_intercepts(), np.zeros((3, WIDTH))
    np.testing.assert_allclose(rows[1].null_intercepts(), intercept, rtol=1e-12)
    start = Point(intercept, zero[0], zero)
    penalty = Penalty.of(20.0, 0.1, 3)
    found = [Descent(which).minimise(start, penalty, tol=1e-12, max_passes=20_000) for which in rows]
    assert all(solution.converged for solution in found)
    assert found[1].certificate.objective == pytest.approx(found[0].certificate.objective, rel=1e-11)
    np.testing.assert_allclose(found[1].point.beta, found[0].point.beta, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("as_sparse", [False, True])
def test_segments_learned_on_a_gpu_are_those_of_the_processor(as_sparse):
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU")
    problem = creative_problem(20_000, 100, 2, 3, apart=1, sparse=as_sparse, seed=1)
    given = {"creative": np.array(problem.creatives)[problem.creative], "segment": problem.segment}
    on_processor, on_gpu = (
        CreativeSegments(lam=0.1, relative=True, device=device).fit(problem.X, problem.response, **given)
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(on_gpu.path_["objective"], on_processor.path_["objective"], rtol=2e-8)
    np.testing.assert_allclose(on_gpu.beta_, on_processor.beta_, atol=1e-3)
    assert (on_gpu.predict(problem.X) == on_processor.predict(problem.X)).mean() > 0.999


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch finds a GPU")
def test_a_missing_gpu_is_told():
    with pytest.raises(ConfigurationError, match="no GPU"):
        TorchRows([], likelihood_of("binomial"), device="cuda")


def test_importing_segments_does_not_import_torch():
    code = "import sys; from causal_tasks.segments import CreativeSegments; CreativeSegments(lam=1.0); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
