"""The users whom a rule speaks of, written for the platform that serves them."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from causal_tasks.data.dataset import open_dataset
from causal_tasks.data.members import UserRows
from causal_tasks.data.tables import open_table
from causal_tasks.errors import InputError
from causal_tasks.lake import source_uris
from causal_tasks.rule import Rule
from causal_tasks.run_folder import RunFolder
from causal_tasks.storage import Uri


@dataclass(frozen=True, slots=True)
class Audience:
    """Who fulfils a rule.

    Attributes:
        uri: Where their ids are.
        rule: The rule, with what the experiment asked of its users.
        grade: How far the run trusts it.
        members: Users who fulfil it.
        users: Users of whom something is known that is new enough.
        as_of: Last day whose rows counted; None: the table has no days.
    """

    uri: Uri
    rule: Rule
    grade: str
    members: int
    users: int
    as_of: date | None

    @property
    def share(self) -> float:
        """Of users."""
        return self.members / self.users


def write_audience(run: RunFolder, rule_id: str, output: Uri, *, as_of: date | None = None) -> Audience:
    """Write the ids of all users who fulfil a mined rule, whether they were in the experiment or not.

    Whom ``eligible`` of the experiment left out is no member: nothing is known about the effect on them. Each user is
    judged by the newest feature row up to ``as_of`` that is not older than ``features.max_age``, as if first exposed
    the day after. The file has one column, the ids under their own name, and is written whole or not at all; a file
    that is there is never replaced. In memory are the ids of one of ``settings.slices`` ranges and, compressed, those
    of all members.

    Args:
        run: A finished run.
        rule_id: Of one of its subpopulations, such as ``s1``.
        output: Address of the Parquet file.
        as_of: Last day whose feature rows count; None: the newest in the table.

    Raises:
        InputError: The run has no result or no such rule, the table does not fit the rule, or another file is at
            ``output``.
    """
    experiment = run.experiment
    found = _subpopulation(run, rule_id)
    rule = Rule.model_validate(found["rule"]).among(experiment.eligible)
    if run.storage.exists(output):
        raise InputError(f"{output} exists", remedy="choose another address, or remove the file")
    with TemporaryDirectory() as folder:
        sources = source_uris(experiment, run.settings)
        if experiment.dataset:
            table = open_dataset(run.storage, sources["dataset"], Path(folder))
            rows = UserRows.of_dataset(table, experiment, rule, as_of=as_of)
        else:
            table = open_table(run.storage, sources["features"], "features")
            rows = UserRows.of_features(table, experiment, rule, as_of=as_of)
        content, members, users = _members_file(rows, rule, column=experiment.unit, slices=run.settings.slices)
    if not users:
        raise InputError(
            f"{table.name} table: no row of the days up to {as_of}", remedy="choose another day, or write the rows"
        )
    if not run.storage.create_exclusively(output, content):
        raise InputError(f"{output} was written by somebody else meanwhile", remedy="choose another address")
    return Audience(output, rule, found["grade"], members, users, rows.days[2] if rows.days else None)


def _subpopulation(run: RunFolder, rule_id: str) -> dict[str, str]:
    try:
        result = run.storage.read_json(f"{run.uri}/result.json")
    except FileNotFoundError as error:
        raise InputError(f"the run at {run.uri} has no result", remedy="let it finish first") from error
    found: dict[str, dict[str, str]] = {record["id"]: record for record in result["subpopulations"]}
    if rule_id not in found:
        raise InputError(
            f"the run at {run.uri} has no rule {rule_id!r}", remedy=f"use one of {', '.join(found) or 'another run'}"
        )
    return found[rule_id]


def _members_file(rows: UserRows, rule: Rule, *, column: str, slices: int) -> tuple[bytes, int, int]:
    """A Parquet file of ids, how many it has, and of how many users."""
    members = users = 0
    sink = pa.BufferOutputStream()
    writer: pq.ParquetWriter | None = None
    for part in rows.members(rule, slices=slices):
        ids = part.ids.cast(pa.string()) if pa.types.is_large_string(part.ids.type) else part.ids
        writer = writer or pq.ParquetWriter(sink, pa.schema([(column, ids.type)]), compression="zstd")
        writer.write_table(pa.table({column: ids}, schema=writer.schema))
        members, users = members + len(ids), users + part.users
    if writer:
        writer.close()
    return sink.getvalue().to_pybytes(), members, users
