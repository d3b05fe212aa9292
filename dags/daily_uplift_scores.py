"""Learns from every feed's days, scores its users, and publishes what servers decide by."""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, task, task_group
from causal_airflow.feed_day import day_tasks
from causal_airflow.settings import Orchestration, Tag

DOC = """
### A feed's day

Each run looks at one day (UTC) and at every feed in `feeds/` of the lake: `feeds/<id>.json` names its tables, arms and
responses. From the days before it learns who prefers what, and what a request tells beyond that; it scores the users
as known on the day's morning, measures on users it did not learn from what deciding by that brings, and publishes it
for servers. Treatments are switched on only where that is shown to pay. All lies in
`feed-days/<id>/r<revision>/<date>/`; a day is filled once, and what is there is never replaced. For a period:

    airflow backfill create --dag-id daily_uplift_scores --from-date 2026-10-01 --to-date 2026-10-31

A day that is filled afterwards is not served where a later one is. The group is told where there is news: a feed's
first day, another verdict, a new alarm, a broken guard.

#### Triage

- **All of a feed skipped**: it is paused.
- **`learn` red at once, "raise revision"**: the feed's statement changed what is learned or measured. Raise `revision`
  in it; its days then begin anew.
- **Another stage of one feed red at once**: the feed or one of its tables is wrong; the end of the log names the
  remedy. Other feeds are scored. Correct it, then clear the task with its downstream tasks. Servers go on with the
  newest day that was published.
- **A stage red after retries with no message in its log**: killed, mostly for want of memory. Lower
  `learning.requests` or `learning.days` of the feed under a new revision.
- **A day has to be done anew**: remove its folder, then clear its tasks.
- **`notify` red**: the robot or its connection is wrong. The day itself is done. Correct it, then clear the task.
- **`find` red**: the store does not answer, or the AWS connection is wrong. See its log, then clear it.
"""

with DAG(
    dag_id="daily_uplift_scores",
    doc_md=DOC,
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    tags=[Tag.REALTIME],
    default_args=Orchestration().task_defaults(),
):

    @task(execution_timeout=timedelta(minutes=10))
    def find() -> list[str]:
        """List the feeds."""
        from causal_airflow.feed_day import find_feeds

        return find_feeds()

    @task_group
    def day(feed: str) -> None:
        """One feed's day."""
        day_tasks(feed)

    day.expand(feed=find())
