"""The locked environment stays free of what a CPU cannot use."""

from importlib.metadata import distributions


def installed() -> list[str]:
    return sorted({distribution.metadata["Name"].lower() for distribution in distributions()})


def test_no_package_for_nvidia_hardware_is_installed():
    found = [name for name in installed() if name.startswith(("nvidia-", "triton", "cupy", "cudf"))]
    assert found == [], "remove .venv and set TORCH_OPTIONS, see the Makefile, so that pip takes torch's CPU build"


def test_only_one_package_provides_xgboost():
    assert len([name for name in installed() if name in {"xgboost", "xgboost-cpu"}]) <= 1
