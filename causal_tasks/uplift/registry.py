"""Which learners there are, by the name under which they are saved."""

from collections.abc import Mapping
from pathlib import Path

from causal_tasks.errors import InputError
from causal_tasks.storage import Storage, Uri
from causal_tasks.uplift.learner import UpliftLearner
from causal_tasks.uplift.local_copy import local_copy
from causal_tasks.uplift.meta_learners import SLearner, TLearner, XLearner
from causal_tasks.uplift.networks import DragonNet, DualHead
from causal_tasks.uplift.orthogonal_learners import DRLearner, RLearner
from causal_tasks.uplift.saved_model import DESCRIPTION, ModelDescription

LEARNERS: Mapping[str, type[UpliftLearner]] = {
    learner.__name__: learner for learner in (SLearner, TLearner, XLearner, RLearner, DRLearner, DualHead, DragonNet)
}
"""Learners by the name under which they are saved."""


def load_learner(folder: Path) -> UpliftLearner:
    """The learner, of whatever class, that ``save`` wrote to ``folder``.

    Raises:
        InputError: The class is unknown, or as for its ``load``.
    """
    name = ModelDescription.read(folder).learner
    if name not in LEARNERS:
        raise InputError(f"{folder} holds a {name}", remedy=f"load one of {', '.join(LEARNERS)}")
    return LEARNERS[name].load(folder)


def read_learners(storage: Storage, uri: Uri) -> tuple[UpliftLearner, ...]:
    """The learner that is saved at ``uri``, or those in the folders in it, in the order of their names.

    Raises:
        InputError: As for ``load_learner``.
    """
    with local_copy(storage, uri) as folder:
        single = (folder / DESCRIPTION).exists()
        return tuple(load_learner(path) for path in ([folder] if single else sorted(folder.iterdir())))
