import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from causal_tasks.errors import ConfigurationError, InputError
from causal_tasks.segments.covariates import CovariateTerms
from causal_tasks.segments.creative_segments import CreativeSegments
from causal_tasks.segments.exposures import Exposures
from causal_tasks.segments.mapped_exposures import mapped_exposures

SEGMENT = {"calm": "mood", "loud": "mood", "cheap": "price"}


def shown_people(rows: int = 1_500, seed: int = 0) -> tuple[pd.DataFrame, dict]:
    """Covariates, and who was shown what, in no order."""
    rng = np.random.default_rng(seed)
    covariates = pd.DataFrame(
        {
            "minutes": rng.lognormal(3, 1, rows),
            "age": np.where(rng.random(rows) < 0.1, np.nan, rng.integers(14, 70, rows)),
            "country": rng.choice(["DE", "FR", "JP", None], rows, p=[0.5, 0.3, 0.1, 0.1]),
        }
    )
    shown = {
        "response": (rng.random(rows) < 0.3).astype(float),
        "creative": rng.choice(list(SEGMENT), rows, p=[0.2, 0.5, 0.3]),
        "fold": rng.integers(0, 4, rows),
    }
    return covariates, shown


def batches_of(covariates, sizes=(1, 0, 700)):
    """What gives covariates in parts of these sizes and the rest."""
    ends = np.cumsum(sizes)
    return lambda: _parts(covariates, ends)


def _parts(covariates, ends):
    for begin, end in zip([0, *ends], [*ends, covariates.shape[0]], strict=True):
        yield covariates[begin:end]


def assert_same(mapped: Exposures, held: Exposures) -> None:
    assert mapped.creatives.names == held.creatives.names
    assert mapped.terms.terms == held.terms.terms
    assert mapped.family == held.family
    assert_array_equal(mapped.centre.astype(np.float32), held.centre.astype(np.float32))
    assert_array_equal(mapped.scale.astype(np.float32), held.scale.astype(np.float32))
    assert (mapped.shift is None) == (held.shift is None)
    for one, other in zip(mapped.people, held.people, strict=True):
        assert one.matrix.dtype == other.matrix.dtype
        assert sparse.issparse(one.matrix) == sparse.issparse(other.matrix)
        assert_array_equal(*(m.toarray() if sparse.issparse(m) else m for m in (one.matrix, other.matrix)))
        assert_array_equal(one.response, other.response)
        assert_array_equal(one.fold, other.fold)


def is_mapped(array: np.ndarray) -> bool:
    while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
        array = array.base
    return isinstance(array, np.memmap)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("with_folds", [True, False])
def test_files_hold_what_memory_would(tmp_path, dtype, with_folds):
    covariates, shown = shown_people()
    if not with_folds:
        shown["fold"] = None
    # 32 bits, so that sums in another order make no difference in what is compared.
    held = Exposures.checked(covariates, **shown, segment=SEGMENT, dtype="float32")
    mapped = mapped_exposures(batches_of(covariates), **shown, segment=SEGMENT, folder=tmp_path / "new", dtype=dtype)
    assert all(is_mapped(people.matrix) for people in mapped.people)
    if dtype == "float32":
        assert_same(mapped, held)
    else:
        for one, other in zip(mapped.people, held.people, strict=True):
            assert one.matrix.dtype == np.float64
            assert_array_equal(one.matrix.astype(np.float32), other.matrix)


def test_sparse_covariates_are_mapped_too(tmp_path):
    _, shown = shown_people()
    X = sparse.random(1_500, 60, density=0.05, format="csr", random_state=1)
    held = Exposures.checked(X, **shown, segment=SEGMENT)
    mapped = mapped_exposures(batches_of(X), **shown, segment=SEGMENT, folder=tmp_path)
    assert_same(mapped, held)
    for people in mapped.people:
        assert is_mapped(people.matrix.data)
        assert is_mapped(people.matrix.indices)


def test_many_levels_become_a_sparse_matrix_and_numbers_are_as_they_are_where_that_is_asked_for(tmp_path):
    _, shown = shown_people()
    city = np.random.default_rng(2).choice([f"c{number}" for number in range(30)], 1_500)
    frame = pd.DataFrame({"city": city, "age": np.arange(1_500) % 50})
    options = {"segment": SEGMENT, "standardize": False}
    held = Exposures.checked(frame, **shown, **options)
    mapped = mapped_exposures(batches_of(frame), **shown, **options, folder=tmp_path)
    assert sparse.issparse(mapped.people[0].matrix)
    assert_same(mapped, held)


def test_a_sparse_matrix_without_a_single_entry_is_written(tmp_path):
    _, shown = shown_people()
    X = np.zeros((1_500, 3))
    X[np.flatnonzero(shown["creative"] == "loud")[:5], 0] = 1.0
    mapped = mapped_exposures(batches_of(sparse.csr_matrix(X)), **shown, segment=SEGMENT, folder=tmp_path)
    assert [people.matrix.nnz for people in mapped.people] == [0, 5, 0]


def test_given_terms_are_used(tmp_path):
    covariates, shown = shown_people()
    terms = CovariateTerms.fit(covariates[["age"]])
    mapped = mapped_exposures(batches_of(covariates[["age"]]), **shown, segment=SEGMENT, folder=tmp_path, terms=terms)
    assert mapped.terms is terms


def test_an_estimator_learns_the_same_from_files(tmp_path):
    covariates, shown = shown_people()
    held = Exposures.checked(covariates, **shown, segment=SEGMENT)
    mapped = mapped_exposures(batches_of(covariates), **shown, segment=SEGMENT, folder=tmp_path)
    fits = [CreativeSegments(lam=0.3, relative=True, tol=1e-5).fit_exposures(made) for made in (held, mapped)]
    assert_array_equal(fits[0].beta_, fits[1].beta_)
    assert fits[0].beta_.any()


@pytest.mark.parametrize("rows", [1_499, 1_501])
def test_batches_must_have_the_people_of_the_response(tmp_path, rows):
    covariates, shown = shown_people(rows)
    shown = {name: np.resize(values, 1_500) for name, values in shown.items()}
    found = "1499" if rows < 1_500 else "more than 1500"
    with pytest.raises(InputError, match=f"covariates of {found} people, the response has 1500"):
        mapped_exposures(batches_of(covariates), **shown, segment=SEGMENT, folder=tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"response": np.full(1_500, 0.5)}, "response 0.5 in 1500 rows"),
        ({"response": np.zeros(1_500)}, "response to creative 'calm' is 0 for all"),
        ({"fold": np.zeros(9)}, "fold has 9 rows, the response 1500"),
        ({"segment": {"calm": "mood"}}, "was shown to .* people and is in no segment"),
    ],
)
def test_what_is_wrong_with_the_people_is_said(tmp_path, changed, message):
    covariates, shown = shown_people()
    with pytest.raises(InputError, match=message):
        mapped_exposures(batches_of(covariates), **({**shown, "segment": SEGMENT} | changed), folder=tmp_path)


def test_exposures_that_are_there_are_not_written_over(tmp_path):
    covariates, shown = shown_people()
    mapped = mapped_exposures(batches_of(covariates), **shown, segment=SEGMENT, folder=tmp_path)
    before = mapped.people[0].matrix.copy()
    with pytest.raises(InputError, match=re.escape(f"{tmp_path / 'rows-0.npy'} exists; choose an empty folder")):
        mapped_exposures(batches_of(covariates[::-1]), **shown, segment=SEGMENT, folder=tmp_path)
    assert_array_equal(mapped.people[0].matrix, before)


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    covariates, shown = shown_people()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        mapped_exposures(batches_of(covariates), **shown, segment=SEGMENT, folder=tmp_path / "file" / "below")
