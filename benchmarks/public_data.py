"""``python -m benchmarks.public_data``: what the runs of Hillstrom and Starbucks found, as tables of their page."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Any

import typer

from benchmarks.document import table, write_section
from benchmarks.interruption import run_command
from causal_tasks.lake import uri_of_run
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage

PAGE = Path(__file__).resolve().parent.parent / "docs" / "public-data.md"
SHARES = (10, 20, 30, 50, 70, 100)
CURVES = {"curve": "gain", "toc": "toc"}
PRICE = 10
"""USD that a purchase brings in the exercise of Starbucks."""

Record = Mapping[str, Any]


def effects(result: Record) -> str:
    """Average effects of every metric, rates in percentage points."""
    rows = []
    for metric in result["experiment"]["metrics"]:
        unit, scale = ("%", 100) if metric["aggregate"] == "any" else (metric["unit"]["en"], 1)
        found = [row["effect"] for row in result["effects"] if row["metric"] == metric["name"]]
        control = f"{scale * found[0]['control_mean']:.2f}"
        rows.append([f"{metric['display']['en']} ({unit})", control, *(_told(effect, scale) for effect in found)])
    return table(["", "control", *result["experiment"]["treatments"]], rows)


def scores(result: Record) -> str:
    """Whether effects differ, and how well estimation users are ranked, in percentage points but for p and slope."""
    evidence, arms = result["evidence"], result["experiment"]["treatments"]
    differ = evidence["heterogeneity"]
    tellers: dict[str, Callable[[str], str]] = {
        "do effects differ at all? p": lambda arm: _p(differ[arm]["omnibus"]["p_value"]),
        "AUTOC": lambda arm: _told(evidence["autoc"][arm]),
        "slope of the best linear predictor": lambda arm: _told(differ[arm]["blp"]["heterogeneity"], 1),
        "AUUC": lambda arm: _told(evidence["auuc"][arm]),
        "AUUC of a random ranking": lambda arm: _number(100 * evidence["auuc"][arm]["random"]),
        "Qini": lambda arm: _told(evidence["qini"][arm]),
        "Qini of random rankings, standard deviation": lambda arm: f"{100 * qini_by_chance(evidence, arm):.2f}",
        "uplift at 10 %": lambda arm: _told(evidence["buckets"][arm][0], value="difference"),
    }
    return table(["", *arms], [[name, *(tell(arm) for arm in arms)] for name, tell in tellers.items()])


def qini_by_chance(evidence: Record, arm: str) -> float:
    """Standard deviation of Qini over random rankings: that of the area under a Brownian bridge, se(effect) / √12."""
    everybody = evidence["curve"][arm][-1]
    error = (everybody["high"] - everybody["low"]) / 2 / NormalDist().inv_cdf(0.975)
    return float(error / 12**0.5)


def curves(result: Record) -> str:
    """Gain curve and TOC at a few shares, percentage points."""
    arms = result["experiment"]["treatments"]
    header = ["best", *(f"{arm}: {name}" for arm in arms for name in ("gain", "TOC"))]
    rows = []
    for share in SHARES:  # of curves with a point for each per cent, the last for all users
        points = [(name, result["evidence"][part][arm][share - 101]) for arm in arms for part, name in CURVES.items()]
        told = [_told({"estimate": point[name], "interval": (point["low"], point["high"])}) for name, point in points]
        rows.append([f"{share} %", *told])
    return table(header, rows)


def rules(result: Record) -> str:
    """Every shown rule and what is said about it, effects in percentage points."""
    rows = []
    for rule in result["subpopulations"]:
        group = [rule["words"]["en"] + _of(rule["treatment"], result), f"{100 * rule['share']:.1f} %"]
        inside = [_told(rule["effect"]), _number(100 * rule["shrunken"])]
        fcr = _interval(rule["fcr_interval"]) if rule["fcr_interval"] else ""
        measured = rule["stability"] or {}
        found_again = ", ".join(f"{measured[by]:.2f}" for by in ("jaccard", "seeds") if measured.get(by) is not None)
        grade = f"**{rule['grade']}** {', '.join(rule['reasons'])}".strip()
        rows.append([*group, *inside, fcr, _told(rule["contrast"]), _p(rule["q_value"]), found_again, grade])
    header = ["group", "share", "effect inside", "shrunken", "FCR interval", "inside minus outside", "q"]
    return table([*header, "stability: trees, seeds", "grade and reasons"], rows)


def chance(result: Record) -> str:
    """Rules found beside rules that the same search finds where there is nothing."""
    placebo, examined = result["placebo"], result["evidence"]["rules_examined"]
    promising = sum(rule["grade"] == "promising" for rule in result["subpopulations"])
    rows = [["as dealt", examined, placebo["found_discovered"], promising, placebo["found"]]]
    keys = ("item", "examined", "discovered", "promising", "confirmed")
    rows += [[run[key] for key in keys] for run in placebo["items"]]
    header = ["arms", "rules examined", "shown with q at most 0.10", "promising", "confirmed"]
    return table(header, [[str(value) for value in row] for row in rows])


def policies(result: Record) -> str:
    """What each rollout gains per user of the population, cost taken off, in percentage points."""
    rows = []
    for arm, found in result["evidence"]["policy"].items():
        for policy in found["policies"]:
            values = [policy[f"vs_{other}"] for other in ("none", "all", "random")]
            treated = [policy["policy"] + _of(arm, result), f"{100 * policy['share']:.1f} %"]
            rows.append([*treated, *("" if value is None else _told(value) for value in values)])
    return table(["treat", "share", "against nobody", "against all", "against as many at random"], rows)


def exercise(result: Record) -> str:
    """Starbucks' policies as the exercise scores them, for half as many users, as its test part has.

    IRR is the effect among those chosen. NIR counts both arms of those chosen, so half are sent a promotion.
    """
    users = sum(result["waterfall"]["steps"][-1]["units"].values()) // 2
    rows = []
    for policy in result["evidence"]["policy"]["Yes"]["policies"]:
        net = policy["vs_none"]
        irr = [(bound + policy["spend"]) / policy["share"] for bound in (net["estimate"], *net["interval"])]
        chosen = {"estimate": irr[0], "interval": irr[1:]}
        rows.append([policy["policy"], _told(chosen, 1, digits=4), _told(net, users / 2 * PRICE, digits=0)])
    return table(["treat", "IRR", f"NIR of {users:,} users, USD"], [*rows, ["published solution", "+0.0188", "+189"]])


def _of(arm: str, result: Record) -> str:
    return f" ({arm})" if len(result["experiment"]["treatments"]) > 1 else ""


def _told(found: Record, scale: float = 100, *, value: str = "estimate", digits: int = 2) -> str:
    return f"{_number(scale * found[value], digits)} {_interval(found['interval'], scale, digits)}"


def _interval(interval: Sequence[float], scale: float = 100, digits: int = 2) -> str:
    return f"[{', '.join(_number(scale * bound, digits) for bound in interval)}]"


def _number(value: float, digits: int = 2) -> str:
    return f"{round(value, digits) + 0.0:+,.{digits}f}".replace("-", "−")


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def main(
    lake: Annotated[str, typer.Argument(envvar="CAUSAL_LAKE", help="Where the two were imported and run.")],
    page: Annotated[Path, typer.Option(help="Markdown file with the markers of the tables.")] = PAGE,
) -> None:
    """Write the tables of both runs into the page."""
    settings = Settings(lake=lake)
    for experiment, more in {"hillstrom": (), "starbucks": (exercise,)}.items():
        result = Storage(settings).read_json(uri_of_run(f"{experiment}.r1", settings) + "/result.json")
        for make in (effects, scores, curves, rules, chance, policies, *more):
            write_section(page, f"{experiment}-{make.__name__}", make(result))


if __name__ == "__main__":
    run_command(main)
