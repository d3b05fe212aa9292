"""``python -m benchmarks.stability``: what the stability of rules costs, against the same trees by scikit-learn."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from benchmarks.document import PAGE, circumstances, ratio, seconds, table, write_section
from benchmarks.interruption import run_command
from causal_tasks.rule import Condition, Rule
from causal_tasks.subpopulations.encoding import encode
from causal_tasks.subpopulations.rules import MIN_EXPLAINED
from causal_tasks.subpopulations.stability import DRAWN_FROM, Growth, stability

GROWTH = Growth(max_depth=3, min_share=0.03, min_users=200, seed=0)
CATEGORIES, LIBRARY_TREES = 4, 5
PLANTED = Rule.of([Condition(feature="x0", op=">", value=0.6), Condition(feature="c0", op="in", value=("b", "d"))])


def simulated(users: int, features: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Features of discovery users, and predictions with one planted rule."""
    random = np.random.default_rng(0)
    numbers = {f"x{k}": random.random(users).astype(np.float32) for k in range(features - CATEGORIES)}
    texts = {f"c{k}": pd.Categorical(random.choice(list("abcdefgh"), users)) for k in range(CATEGORIES)}
    frame = pd.DataFrame(numbers | texts)
    inside = PLANTED.mask(frame).to_numpy()
    return frame, inside + 0.3 * (frame["x1"].to_numpy() > 0.5) + random.normal(0, 0.3, users)


def library_tree(frame: pd.DataFrame, uplift: np.ndarray, number: int) -> None:
    """One bootstrap tree by scikit-learn."""
    from sklearn.tree import DecisionTreeRegressor

    rows = np.random.default_rng(number).integers(len(uplift), size=min(len(uplift), DRAWN_FROM))
    drawn = uplift[rows]
    DecisionTreeRegressor(
        max_depth=GROWTH.max_depth,
        min_samples_leaf=int(GROWTH.min_share * len(rows)),
        min_impurity_decrease=MIN_EXPLAINED * float(drawn.var()),
    ).fit(encode(frame.iloc[rows], drawn).matrix, drawn)


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of this process, all threads."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main(
    users: Annotated[list[int] | None, typer.Option(help="Users, 60 % of them in discovery; repeat.")] = None,
    features: Annotated[int, typer.Option(min=CATEGORIES + 2)] = 30,
    trees: Annotated[int, typer.Option(min=1)] = 50,
    page: Annotated[Path, typer.Option(help="Markdown file with the markers of section 'stability'.")] = PAGE,
) -> None:
    """Measure fifty bootstrap trees, and write the figures into the page."""
    rows = []
    for size in users or [100_000, 1_000_000]:
        frame, uplift = simulated(int(0.6 * size), features)
        ours = cpu_seconds(lambda: stability([(PLANTED, 1)], frame, uplift, GROWTH, trees=trees))  # noqa: B023
        few = cpu_seconds(lambda: [library_tree(frame, uplift, k) for k in range(LIBRARY_TREES)])  # noqa: B023
        theirs = few * trees / LIBRARY_TREES
        rows.append([f"{size:,}", seconds(ours), seconds(theirs), ratio(theirs / ours)])
    header = [f"users, {features} features", f"{trees} trees, CPU s", "by scikit-learn, CPU s", "times as long"]
    content = "\n\n".join([circumstances("benchmarks.stability"), table(header, rows)])
    print(content)
    write_section(page, "stability", content)


if __name__ == "__main__":
    run_command(main)
