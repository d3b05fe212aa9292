"""Whether a follow-up experiment confirms the finding that it was made for, or retires it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from causal_tasks.experiment import Experiment, Follows

Verdict = Literal["confirmed", "retired", "open"]


def confirmation(follows: Follows, effect: Mapping[str, Any], *, trusted: bool) -> dict[str, Any]:
    """What a finished follow-up experiment says about the rule that it follows.

    With c = +1 where the rule claims a rise of the metric and -1 where it claims a fall, in this order:

    - ``open``: the experiment is not trusted, or its effect is not defined.
    - ``confirmed``: the interval of the realised effect, times c, lies above zero. The claim is a direction, so a
      smaller effect than predicted confirms it too; how much smaller is in the ledger.
    - ``retired``: the interval, times c, lies below the predicted effect, times c: below what the follow-up was sized
      for. The size makes both mistakes alike: as an effect as large as predicted is confirmed with 80 % power, so a
      rule without any effect is retired with 80 % power, while one of the predicted effect is retired in 2.5 % of
      follow-ups only. A bound at half the predicted effect would need four times the users to retire as surely.
    - ``open``: the interval holds both zero and the predicted effect; more users have to tell.

    Args:
        follows: ``Experiment.follows``.
        effect: The follow-up's average effect of ``follows.treatment`` on its primary metric, as ``Effect.to_dict``
            gives it: ``effect`` of the row that ``measure`` writes for them. All of its users fulfil the rule.
        trusted: Whether the follow-up was randomised and its data passed: ``validate`` says ``valid`` or ``warning``.

    Returns:
        The ``confirmation`` of a result: ``{"experiment_id", "revision", "rule", "treatment", "predicted":
        {"estimate", "interval"}, "realised": {"estimate", "interval"}, "verdict"}``; the first three name the run
        that found the rule. Effects are in the metric's own unit, treatment minus control; those of ``realised`` may
        be null.
    """
    predicted = follows.predicted.model_dump(mode="json")
    realised = {"estimate": effect["estimate"], "interval": effect["interval"]}
    return {
        "experiment_id": follows.experiment_id,
        "revision": follows.revision,
        "rule": follows.rule,
        "treatment": follows.treatment,
        "predicted": predicted,
        "realised": realised,
        "verdict": _verdict(predicted["estimate"], realised["interval"]) if trusted else "open",
    }


def confirmation_of(
    experiment: Experiment, effects: Sequence[Mapping[str, Any]], *, validity: str
) -> dict[str, Any] | None:
    """The confirmation that an experiment gives, from what its stages wrote; None where it follows nothing.

    Args:
        experiment: As stated.
        effects: What ``measure`` writes.
        validity: ``status`` of the verdict of ``validate``.
    """
    follows = experiment.follows
    if follows is None:
        return None
    effect = next(
        row["effect"]
        for row in effects
        if row["metric"] == experiment.primary.name and row["treatment"] == follows.treatment
    )
    return confirmation(follows, effect, trusted=experiment.randomized and validity != "invalid")


def _verdict(predicted: float, interval: tuple[float | None, float | None]) -> Verdict:
    low, high = interval
    if low is None or high is None:
        return "open"
    weakest, strongest = (low, high) if predicted > 0 else (-high, -low)
    if weakest > 0:
        return "confirmed"
    return "retired" if strongest < abs(predicted) else "open"
