"""A GPU is used or refused, never silently replaced by the processor."""

from pathlib import Path

import numpy as np
import pytest

from causal_tasks.base_models import BASE_MODELS, DesignMatrix, fit_model
from causal_tasks.errors import ConfigurationError
from tests.unit.base_models.listeners import MODELS, listeners, quick

HAS_GPU = Path("/proc/driver/nvidia/version").exists()


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.filterwarnings("ignore:.*Device is changed from GPU to CPU")
def test_a_gpu_that_is_not_there_is_no_silent_run_on_the_processor(name):
    X, mean = listeners(500)
    with pytest.raises(ConfigurationError, match=f"{name} cannot train on the GPU"):
        quick(name, device="cuda").fit(X, mean)
    design = DesignMatrix(X)
    fit_model(quick(name), design, mean)
    with pytest.raises(ConfigurationError, match=f"{name} cannot train on the GPU"):
        fit_model(quick(name, device="cuda"), design, mean)


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="needs a CUDA device")
@pytest.mark.parametrize("name", MODELS)
def test_a_gpu_learns_what_the_processor_learns(name, tmp_path):
    X, mean = listeners(20_000)
    outcome = mean + np.random.default_rng(1).normal(size=len(X))
    new, new_mean = listeners(seed=2)
    try:
        fitted = quick(name, device="cuda").fit(X, outcome)
    except ConfigurationError as error:
        pytest.skip(f"this build of {BASE_MODELS[name].library} has no CUDA: {error}")
    on_gpu, on_processor = fitted.predict(new), quick(name).fit(X, outcome).predict(new)
    off = [np.sqrt(np.mean((predicted - new_mean) ** 2)) for predicted in (on_gpu, on_processor)]
    assert off[0] == pytest.approx(off[1], rel=0.1)
    fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(quick(name).load(tmp_path / "model").predict(new), on_gpu)
