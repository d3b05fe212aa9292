"""What the learning stages wrote in the sample: nine candidates, two of which failed, three finalists, their tuning."""

from typing import Any

from causal_tasks.run_folder import Failure

CANDIDATES = tuple(f"{learner}_{base}" for learner in "stx" for base in ("xgboost", "lightgbm", "random_forest"))
FINALISTS = ("x_lightgbm", "t_lightgbm", "s_xgboost")
SCORES = {
    "x_lightgbm": 1.21,
    "t_lightgbm": 1.17,
    "s_xgboost": 1.08,
    "t_xgboost": 1.02,
    "x_xgboost": 0.97,
    "s_lightgbm": 0.91,
    "t_random_forest": 0.64,
}
LEARNERS = {"s": "SLearner", "t": "TLearner", "x": "XLearner"}
BASE_MODELS = {"xgboost": "XGBoost", "lightgbm": "LightGBM", "random_forest": "RandomForest"}

FAILURE = Failure.model_validate(
    {
        "stage": "train",
        "item": "s_random_forest",
        "error": "InputError",
        "message": "constant prediction: every user of arm 'treatment' got 3.2",
        "remedy": "give the candidate more trees or leave it out of mining.candidates",
        "at": "2026-10-06T03:00:00Z",
    }
)
FAILURES: dict[str, Failure | None] = {"train/s_random_forest": FAILURE, "train/x_random_forest": None}
"""One candidate that left a record, and one that was killed."""

TUNING_FAILURE = FAILURE.model_copy(
    update={"stage": "tune", "item": "s_xgboost", "message": "fold 3 has no user with an outcome in arm 'treatment'"}
)


def every_candidate_failed() -> dict[str, Failure | None]:
    failed = {f"train/{name}": FAILURE.model_copy(update={"item": name}) for name in CANDIDATES}
    return failed | {"train/x_lightgbm": None}


def card(candidate: str, treatments=("treatment",), **changes: Any) -> dict[str, Any]:
    """The card of one candidate; scores differ a little between treatments and have the mean of ``SCORES``."""
    learner, base = candidate.split("_", 1)
    middle = (len(treatments) - 1) / 2
    scores = {arm: SCORES[candidate] + 0.2 * (middle - position) for position, arm in enumerate(treatments)}
    guard = {
        "spread": 3.1,
        "mean": 0.5,
        "measured": {"estimate": 0.42, "interval": [-0.73, 1.57]},
        "agrees": True,
        "treatment_used": True,
    }
    odd = guard | {"mean": 2.9, "agrees": False}
    guards = dict.fromkeys(treatments, odd if candidate == "t_random_forest" else guard)
    return {
        "candidate": candidate,
        "learner": LEARNERS[learner],
        "base_model": BASE_MODELS[base],
        "parameters": {"n_estimators": 200},
        "device": "cpu",
        "seconds": 12.4 + 3 * CANDIDATES.index(candidate),
        "peak_memory_mb": 811.6,
        "rows": 48_000,
        "features": ["age", "night_share"],
        "auuc": {
            arm: {"estimate": score, "standard_error": 0.2, "interval": [score - 0.4, score + 0.4]}
            for arm, score in scores.items()
        },
        "guards": guards,
        "notes": ["mean_disagrees"] if candidate == "t_random_forest" else [],
    } | changes


def cards(treatments=("treatment",)) -> dict[str, Any]:
    return {name: card(name, treatments) for name in SCORES}


def ranking() -> list[dict[str, Any]]:
    return [{"candidate": name, "auuc": score} for name, score in SCORES.items()]


def trial(number: int, auuc: float | None, third_auuc: float) -> dict[str, Any]:
    return {
        "number": number,
        "state": "pruned" if auuc is None else "complete",
        "parameters": {"n_estimators": 100 + 10 * number},
        "rung_auucs": [third_auuc] if auuc is None else [third_auuc, auuc],
        "fold_auucs": {"3": third_auuc if auuc is None else auuc},
        "auuc": auuc,
    }


def history(candidate: str, scores: tuple[float | None, ...], **changes: Any) -> dict[str, Any]:
    """The tuning of one finalist; None is a trial that was pruned."""
    trials = [
        trial(number, score, 0.4 if score is None else 0.8 * score + 0.02 * (number % 3))
        for number, score in enumerate(scores)
    ]
    best = max((t for t in trials if t["auuc"] is not None), key=lambda t: t["auuc"])
    return {
        "candidate": candidate,
        "trials": trials,
        "best": {key: best[key] for key in ("number", "parameters", "auuc")},
        "rungs": [9_566, 28_700],
        "rows": 28_700,
        "scored": 9_600,
        "notes": [],
    } | changes


def tuning() -> dict[str, Any]:
    """Two finalists that gained, one for which nothing is better than the default."""
    return {
        "x_lightgbm": history(
            "x_lightgbm", (0.94, 0.71, 1.02, None, None, 1.11, None, 0.98, 1.31, None, 1.22, None, 1.28)
        ),
        "t_lightgbm": history(
            "t_lightgbm", (0.88, None, 0.93, 0.61, 1.05, None, None, 0.97, None, 1.04, 1.01, None, 0.9)
        ),
        "s_xgboost": history(
            "s_xgboost", (0.97, 0.52, None, None, 0.83, None, None, 0.91, None, None, None, 0.88, None)
        ),
    }


def entrant(name: str, auuc: float, difference: float | None = None, *, width: float = 0.25) -> dict[str, Any]:
    """One row of the board; the interval of a difference is twice ``width`` wide."""
    return {
        "entrant": name,
        "candidate": name.removesuffix(".tuned"),
        "tuned": name.endswith(".tuned"),
        "parameters": {"n_estimators": 200},
        "auuc": auuc,
        "standard_error": 0.31,
        "interval": [auuc - 0.61, auuc + 0.61],
        "difference_to_winner": None
        if difference is None
        else {"estimate": difference, "interval": [difference - width, difference + width]},
    }


def selection(**changes: Any) -> dict[str, Any]:
    """The tuned X-learner won, and only the S-learner is reliably worse."""
    failed = {item.removeprefix("train/"): failure.reason if failure else None for item, failure in FAILURES.items()}
    return {
        "winner": "x_lightgbm.tuned",
        "distinguishable": False,
        "board": [
            entrant("x_lightgbm.tuned", 1.26),
            entrant("t_lightgbm.tuned", 1.19, -0.07),
            entrant("x_lightgbm", 1.14, -0.12),
            entrant("t_lightgbm", 1.09, -0.17),
            entrant("s_xgboost", 0.71, -0.55),
        ],
        "failed": failed,
        "tuning_failed": {},
    } | changes


def drivers(treatments=("treatment",)) -> dict[str, Any]:
    """Which features drive the predictions."""

    def driver(feature, importance, half):
        return {"feature": feature, "importance": importance, "interval": [importance - half, importance + half]}

    ranked = [
        driver("age", 0.46, 0.03),
        driver("night_share", 0.31, 0.02),
        driver("member_level", 0.19, 0.02),
        driver("tenure_days", 0.08, 0.01),
        driver("device", 0.004, 0.003),
    ]
    return dict.fromkeys(treatments, ranked)
