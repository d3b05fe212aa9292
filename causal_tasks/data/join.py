"""The join, one partition of units at a time, in the calls that pandas and cudf share.

Nothing here may be pandas only: a test compares every call with cudf's signatures. Rows arrive sorted by their place
(see ``rows``), so that sums add in the order of days and do not depend on how files, partitions or threads fell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from causal_tasks.data.periods import Stretches
from causal_tasks.data.rows import IDENTITY, KEY, Days
from causal_tasks.rule import Rule

POSITION = "position"
ELIGIBLE = "eligible"
OUTCOME_ROWS, ALL_ROWS, REPEATED_ROWS = "outcome_rows", "all_rows", "repeated_rows"
FEATURE_ROWS, FEATURE_VARIANTS = "feature_rows", "feature_variants"
COUNTS = (OUTCOME_ROWS, ALL_ROWS, REPEATED_ROWS, FEATURE_ROWS, FEATURE_VARIANTS)

METRIC, FEATURE = "m__", "x__"
"""Prefixes of the tables' own columns."""

SLOT, PERIOD = "slot", "period"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """How daily values of one column become one value per unit.

    Attributes:
        name: Of the result.
        column: Of the rows.
        how: ``sum``; ``mean`` over days with a value; the ``last`` value; ``any`` value other than zero, as 1 or 0.
        fill: What a unit without a value gets; None leaves it missing.
    """

    name: str
    column: str
    how: Literal["sum", "mean", "last", "any"]
    fill: float | None


@dataclass(frozen=True, slots=True)
class PeriodMeans:
    """Means per day of one column in consecutive stretches of days.

    Attributes:
        column: Of the rows.
        before: Stretches of the pre-window.
        outcome: Stretches of the outcome window.
        names: Of the results, those before first.
        windows: Names of the sums over the pre-window and the outcome window: a unit that lacks one has no means in it,
            otherwise a day without rows adds nothing, in the sums as in the means.
    """

    column: str
    before: Stretches
    outcome: Stretches
    names: tuple[str, ...]
    windows: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make of a partition.

    Attributes:
        days: How the metrics' days are counted.
        outcome: Aggregates of the outcome window.
        before: Aggregates of the pre-window.
        periods: Means by stretches of both windows; None for none.
        feature_span: Places per unit among the feature rows.
        features: Names of the features, without prefix.
        eligible: Which units count by their features; None for all.
    """

    days: Days
    outcome: tuple[Aggregate, ...]
    before: tuple[Aggregate, ...]
    periods: PeriodMeans | None
    feature_span: int
    features: tuple[str, ...]
    eligible: Rule | None


def newest(rows: Any, span: int) -> Any:
    """Of each unit's rows those of its newest day, several where that day has several."""
    unit = rows[KEY] // span
    return rows[rows[KEY] == rows[KEY].groupby(unit).transform("max")]


def join_partition(units: Any, metrics: Any, features: Any, plan: Plan) -> Any:
    """One row per unit of a partition.

    Args:
        units: Column ``position``.
        metrics: Their rows, indexed by key in ascending order.
        features: The same, cut to the newest of each earlier partition.
        plan: What to make of them.

    Returns:
        A frame with ``position``, the aggregates, the means of periods, the features under their prefix, ``eligible``
        and the counts, ordered by position.
    """
    daily, repeated = one_row_per_day(metrics.reset_index(), plan.days.span)
    first_slot = plan.days.before + plan.days.skipped
    in_outcome = daily[SLOT] >= first_slot
    made = [
        repeated,
        aggregated(daily[in_outcome], plan.outcome),
        counted(daily[in_outcome], OUTCOME_ROWS),
        snapshot(features.reset_index(), plan.feature_span),
    ]
    if plan.before:
        made.append(aggregated(daily[daily[SLOT] < plan.days.before], plan.before))
    if plan.periods:
        made.append(period_means(units, daily, plan.periods, plan.days))
    joined = units
    for part in made:
        joined = joined.merge(part, on=POSITION, how="left")
    filled = {a.name: a.fill for a in (*plan.outcome, *plan.before) if a.fill is not None}
    joined = joined.fillna(filled | dict.fromkeys(COUNTS, 0)).astype(dict.fromkeys(COUNTS, "int64"))
    if plan.periods:
        joined = _without_missing_windows(joined, plan.periods)
    known = joined[[FEATURE + name for name in plan.features]].rename(
        columns={FEATURE + name: name for name in plan.features}
    )
    joined[ELIGIBLE] = True if plan.eligible is None else plan.eligible.mask(known)
    return joined.sort_values(POSITION, ignore_index=True)


def one_row_per_day(rows: Any, span: int) -> tuple[Any, Any]:
    """Leave out repeated rows and add up what else a unit has on one day.

    Returns:
        The rows with ``position`` and ``slot`` in place of the key, one per unit and day, in their order; and per unit
        the number of rows there were (``all_rows``) and of those left out (``repeated_rows``).
    """
    values = [name for name in rows.columns if name not in {KEY, IDENTITY}]
    before = counted(rows.assign(**{POSITION: rows[KEY] // span}), ALL_ROWS)
    if rows[KEY].duplicated().any():
        rows = rows.drop_duplicates()
        after = counted(rows.assign(**{POSITION: rows[KEY] // span}), "distinct")
        counts = before.merge(after, on=POSITION)
        counts = counts.assign(**{REPEATED_ROWS: counts[ALL_ROWS] - counts["distinct"]}).drop(columns=["distinct"])
        # By value too: adding floats in another order may change the last digit.
        by_day = rows.sort_values([KEY, *values]).groupby(KEY, sort=True)[values]
        rows = by_day.sum().where(by_day.count() > 0).reset_index()
    else:
        counts = before.assign(**{REPEATED_ROWS: 0})
    rows = rows.assign(**{POSITION: rows[KEY] // span, SLOT: rows[KEY] % span})
    return rows[[POSITION, SLOT, *values]], counts


def aggregated(rows: Any, aggregates: Sequence[Aggregate]) -> Any:
    """One row per unit that has rows: ``position`` and the aggregates, missing where a unit has no value."""
    columns = list(dict.fromkeys(a.column for a in aggregates))
    by_unit = rows.groupby(POSITION, sort=True)
    values = by_unit[columns].count()
    sums = by_unit[columns].sum()
    result = values[[]]
    for a in aggregates:
        result[a.name] = _aggregate(rows, sums[a.column], values[a.column], a)
    return result.reset_index()


def _aggregate(rows: Any, total: Any, values: Any, aggregate: Aggregate) -> Any:
    if aggregate.how == "sum":
        return total.where(values > 0)
    if aggregate.how == "mean":
        return total / values.where(values > 0)
    valued = rows[rows[aggregate.column].notna()]
    if aggregate.how == "last":
        return valued.drop_duplicates(subset=POSITION, keep="last").set_index(POSITION)[aggregate.column]
    nonzero = valued.assign(nonzero=(valued[aggregate.column] != 0).astype("float64"))
    return nonzero.groupby(POSITION, sort=True)["nonzero"].max()


def period_means(units: Any, rows: Any, periods: PeriodMeans, days: Days) -> Any:
    """One row per unit: ``position`` and its means per day by period, 0 in a period without a value."""
    slot = rows[SLOT]
    outcome = periods.outcome.number(slot - days.before - days.skipped) + periods.before.count
    rows = rows.assign(**{PERIOD: periods.before.number(slot).where(slot < days.before, outcome)})
    sums = rows.groupby([POSITION, PERIOD], sort=True)[periods.column].sum().reset_index()
    result = units.set_index(POSITION)
    for number, (first, last) in enumerate((*periods.before.spans, *periods.outcome.spans)):
        inside = sums[sums[PERIOD] == number].set_index(POSITION)
        result[periods.names[number]] = inside[periods.column] / (last - first + 1)
    return result.fillna(0.0).reset_index()


def _without_missing_windows(joined: Any, periods: PeriodMeans) -> Any:
    for number, name in enumerate(periods.names):
        window = periods.windows[number >= periods.before.count]
        joined[name] = joined[name].where(joined[window].notna())
    return joined


def snapshot(rows: Any, span: int) -> Any:
    """Each unit's newest feature row, and how many rows and how many different ones its newest day has."""
    rows = newest(rows, span)
    copies = counted(rows.assign(**{POSITION: rows[KEY] // span}), FEATURE_ROWS)
    if rows[KEY].duplicated().any():
        rows = rows.drop_duplicates()
    rows = rows.assign(**{POSITION: rows[KEY] // span}).drop(columns=[KEY])
    variants = counted(rows, FEATURE_VARIANTS)
    return rows.drop_duplicates(subset=POSITION).merge(copies, on=POSITION).merge(variants, on=POSITION)


def counted(rows: Any, name: str) -> Any:
    """One row per unit: ``position`` and the number of its rows as ``name``."""
    return rows.groupby(POSITION, sort=True).size().reset_index(name=name)
