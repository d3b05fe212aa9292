"""A simulated experiment of coupons with known truth, in the lake: a dataset, its statement with budgets, the truth."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from causal_tasks.data.coupon_problems import CouponProblem, confounded_logs, dose_problem
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.lake import experiment_uri, truth_uri
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri

CONTROL, OUTCOME, COST = "no_coupon", "revenue", "coupon_cost"
BUDGETS = (0.15, 0.3, 0.45, 0.6)
"""Per user; the dearest coupon for everybody costs about 1.2."""


def simulate_coupons(
    settings: Settings,
    *,
    experiment_id: str = "coupons",
    users: int = 50_000,
    arms: int = 5,
    noise: float = 1.0,
    logs: int = 0,
    budgets: Sequence[float] = BUDGETS,
    methods: Sequence[str] | None = None,
    seed: int = 7,
) -> Experiment:
    """Write an experiment of ``dose_problem``; an earlier simulation of the same id is replaced.

    ``datasets/<id>/part-0.parquet`` has ``user_id``, ``coupon``, features ``x0`` to ``x7``, ``revenue`` and
    ``coupon_cost``; ``datasets/<id>_logs/part-0.parquet`` the same of logged users, whose coupons a hidden trait
    decided. ``truth/<id>.json`` holds the expected outcome and cost of every arm for everybody, ``truth/<id>.parquet``
    those of every user: ``user_id``, ``outcome__<arm>``, ``cost__<arm>``.

    Args:
        settings: Where the lake is.
        experiment_id: Of the experiment.
        users: In the experiment.
        arms: Coupon values, none among them.
        noise: Standard deviation of the outcome around its mean.
        logs: Logged users besides; 0: no logs.
        budgets: Per user.
        methods: To compare; None: as by default.
        seed: Of everything random.

    Returns:
        The experiment as written.

    Raises:
        InputError: An argument is out of range, or an experiment of that id exists that was not simulated.
    """
    storage, labels = Storage(settings), _labels(arms)
    statement_uri = experiment_uri(experiment_id, settings)
    if storage.exists(statement_uri) and not storage.exists(truth_uri(experiment_id, settings)):
        raise InputError(f"{statement_uri} exists and was not simulated", remedy="choose another experiment_id")
    problem = dose_problem(users, seed=seed, noise=noise, arms=arms)
    dataset, logged = (f"{settings.lake}/datasets/{name}" for name in (experiment_id, f"{experiment_id}_logs"))
    logs_stated = {"logs": {"uri": logged, "arm_column": "coupon"}} if logs else {}
    experiment = Experiment.parse(
        {
            "experiment_id": experiment_id,
            "name": "发多大的券 How large a coupon",
            "owner": "growth",
            "status": "finished",
            "control": CONTROL,
            "treatments": labels[1:],
            "dataset": {"uri": dataset, "arm_column": "coupon"},
            "window": {"days": 1},
            "metrics": [
                {"name": OUTCOME, "role": "primary", "display": {"zh": "收入", "en": "Revenue"}},
                {"name": COST, "display": {"zh": "券成本", "en": "Coupon cost"}},
            ],
            "budgeting": {
                "cost": COST,
                "budgets": list(budgets),
                "seed": seed,
                **({"methods": list(methods)} if methods else {}),
                **logs_stated,
            },
        },
        source=f"simulated experiment {experiment_id!r}",
    )
    if storage.exists(statement_uri):
        storage.delete(statement_uri)
    _write(storage, f"{dataset}/part-0.parquet", _rows(problem, labels, first=0))
    if logs:
        hidden = confounded_logs(logs, seed=seed + 1, noise=noise, arms=arms)
        _write(storage, f"{logged}/part-0.parquet", _rows(hidden, labels, first=users))
    _write_truth(storage, truth_uri(experiment_id, settings), problem, labels, seed)
    storage.write_json(statement_uri, experiment.model_dump(mode="json", by_alias=True))
    return experiment


def _labels(arms: int) -> list[str]:
    """Coupons by their value in per cent of the full one."""
    return [CONTROL, *(f"coupon_{round(100 * value)}" for value in np.linspace(0, 1, arms)[1:])]


def _rows(problem: CouponProblem, labels: Sequence[str], *, first: int) -> pa.Table:
    columns = {"user_id": np.arange(first, first + len(problem.X)), "coupon": np.array(labels)[problem.treatment]}
    columns |= {f"x{number}": problem.X[:, number].astype(np.float32) for number in range(problem.X.shape[1])}
    return pa.table(columns | {OUTCOME: problem.outcome, COST: problem.cost})


def _write_truth(storage: Storage, uri: Uri, problem: CouponProblem, labels: Sequence[str], seed: int) -> None:
    true = {"outcome": problem.true_outcome, "cost": problem.true_cost}
    columns = {f"{what}__{label}": values[:, arm] for what, values in true.items() for arm, label in enumerate(labels)}
    _write(storage, uri.removesuffix(".json") + ".parquet", pa.table({"user_id": np.arange(len(problem.X)), **columns}))
    means = {what: dict(zip(labels, values.mean(axis=0).tolist(), strict=True)) for what, values in true.items()}
    storage.write_json(uri, {"seed": seed, "users": len(problem.X), "arms": list(labels), **means})


def _write(storage: Storage, uri: Uri, rows: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd")
    storage.write_bytes(uri, sink.getvalue().to_pybytes())
