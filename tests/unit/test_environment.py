"""The locked environment stays free of what a CPU cannot use."""

from importlib.metadata import distributions


def installed() -> list[str]:
    return sorted({distribution.metadata["Name"].lower() for distribution in distributions()})


def test_no_package_for_nvidia_hardware_is_installed():
    assert [name for name in installed() if name.startswith(("nvidia-", "triton", "cupy", "cudf"))] == []


def test_only_one_package_provides_xgboost():
    assert len([name for name in installed() if name in {"xgboost", "xgboost-cpu"}]) <= 1
