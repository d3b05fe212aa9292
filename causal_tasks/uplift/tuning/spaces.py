"""The ranges that an experiment gives to single parameters, in place of those of the model."""

from collections.abc import Mapping

from causal_tasks.base_models import Range
from causal_tasks.errors import InputError
from causal_tasks.experiment import SearchRange
from causal_tasks.uplift.candidates import CANDIDATES, family
from causal_tasks.uplift.learner import UpliftLearner


def edited_space(name: str, learner: UpliftLearner, edits: Mapping[str, Mapping[str, SearchRange]]) -> dict[str, Range]:
    """The search space of a candidate with the experiment's edits.

    Args:
        name: Of the candidate.
        learner: The candidate.
        edits: ``mining.search_spaces``: ranges by parameter, by the name of a base model or a candidate. Those of the
            candidate come after those of its base model.

    Raises:
        InputError: There is no base model, candidate or parameter of a name, or the parameter cannot have such a range.
    """
    known = {*CANDIDATES, *map(family, CANDIDATES)}
    if unknown := sorted(edits.keys() - known):
        raise InputError(
            f"mining.search_spaces: {unknown[0]!r} is neither a base model nor a candidate",
            remedy=f"use one of {', '.join(sorted(known))}",
        )
    space = dict(learner.search_space)
    for owner in dict.fromkeys((family(name), name)):
        for parameter, edit in edits.get(owner, {}).items():
            where = f"mining.search_spaces.{owner}.{parameter}"
            if parameter not in space:
                raise InputError(f"{where}: no such parameter is searched", remedy=f"use one of {', '.join(space)}")
            try:
                space[parameter] = learner.search_space[parameter].edited(edit.low, edit.high, log=edit.log)
            except InputError as error:
                raise InputError(f"{where}: {error.message}", remedy=error.remedy) from error
    return space
