"""What was planted in a simulated experiment against what was found in it."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from causal_tasks.experiment import Experiment
from causal_tasks.lake import run_uri, truth_uri
from causal_tasks.rule import Rule
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings


def compare_with_truth(experiment: Experiment, settings: Settings) -> Table:
    """A table with one row per planted subpopulation, beside it what was found that shares most users with it.

    Args:
        experiment: A simulated experiment that has been mined.
        settings: Where its lake is.
    """
    run = RunFolder.existing(run_uri(experiment, settings), settings)
    truth = run.storage.read_json(truth_uri(experiment.experiment_id, settings))
    found = run.storage.read_json(f"{run.uri}/result.json")["subpopulations"]
    users = _analysed_users(run, truth, found)
    names = experiment.features.display_names()
    table = Table("planted", "true effect", "found", "measured effect", "grade", "same users", show_lines=True)
    for treatment, stated in truth["treatments"].items():
        for planted in stated["planted"]:
            rule = Rule.model_validate(planted["rule"])
            best, overlap = _most_similar(rule, [row for row in found if row["treatment"] == treatment], users)
            table.add_row(
                rule.in_words("en", names),
                f"{planted['effect']:+.2f}",
                *_found_cells(best),
                f"{overlap:.0%}" if best else "",
            )
    return table


def _found_cells(row: Mapping[str, Any] | None) -> tuple[str, str, str]:
    if row is None:
        return "nothing", "", ""
    low, high = row["effect"]["interval"]
    return row["words"]["en"], f"{row['effect']['estimate']:+.2f} [{low:+.2f}, {high:+.2f}]", row["grade"]


def _analysed_users(run: RunFolder, truth: Mapping[str, Any], found: list[dict[str, Any]]) -> Any:
    planted = [one["rule"] for stated in truth["treatments"].values() for one in stated["planted"]]
    rules = [Rule.model_validate(rule) for rule in (*planted, *(row["rule"] for row in found))]
    published = run.storage.read_json(f"{run.uri}/run.json")
    manifest = run.read_manifest(f"{run.uri}/{published['manifests']['prepare']}")
    columns = sorted({feature for rule in rules for feature in rule.features})
    return run.storage.read_table(f"{run.uri}/{manifest.outputs['users'].path}", columns)


def _most_similar(rule: Rule, found: list[dict[str, Any]], users: Any) -> tuple[dict[str, Any] | None, float]:
    """The found subpopulation that shares most users with ``rule``, and the Jaccard index of the two."""
    planted = rule.mask(users)
    best, overlap = None, 0.0
    for row in found:
        members = Rule.model_validate(row["rule"]).mask(users)
        jaccard = (planted & members).sum() / max(1, (planted | members).sum())
        if jaccard > overlap:
            best, overlap = row, float(jaccard)
    return best, overlap
