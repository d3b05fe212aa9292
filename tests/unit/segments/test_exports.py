"""What the package exports, and that nothing is loaded before it is used."""

import subprocess
import sys

import pytest

from causal_tasks import segments


@pytest.mark.parametrize("name", segments.__all__)
def test_every_name_is_there_and_is_no_module(name):
    assert callable(getattr(segments, name))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = segments.nothing


def test_importing_the_package_loads_no_library():
    code = "import sys, causal_tasks.segments; print({'numpy', 'pandas', 'sklearn', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
