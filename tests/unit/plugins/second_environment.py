"""An environment of its own in which ``causal-tasks`` is installed and Airflow is not."""

import re
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def make_environment(folder: Path) -> Path:
    """Make a virtual environment that sees what the library needs and nothing else; returns its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next((folder / "lib").glob("python*/site-packages"))
    needed = _needed("causal-tasks") | _needed("xgboost-cpu")
    for found in needed.values():
        _link(found, packages)
    (packages / "project.pth").write_text(str(Path(__file__).parents[3]))
    return folder / "bin" / "python"


def _needed(name: str, found: dict[str, Distribution] | None = None) -> dict[str, Distribution]:
    """The installed distributions that one needs without extras, itself included, by name."""
    found = {} if found is None else found
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in found:
        return found
    try:
        found[key] = distribution(name)
    except PackageNotFoundError:
        return found
    for requirement in found[key].requires or ():
        matched = _NAME.match(requirement)
        if (matched and "extra ==" not in requirement) or requirement.startswith("dask["):
            _needed(matched.group(), found)
    return found


def _link(found: Distribution, packages: Path) -> None:
    for top in {Path(file).parts[0] for file in found.files or () if Path(file).parts[0] != ".."}:
        target = Path(str(found.locate_file(top)))
        if top != "__pycache__" and target.exists() and not (packages / top).exists():
            (packages / top).symlink_to(target)
