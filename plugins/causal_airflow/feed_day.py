"""The stages of a feed's day as Airflow tasks, and the message that tells of it.

Between tasks nothing travels but the feed's id: what a stage wrote lies in the day's folder, which is filled once.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context, XComArg
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from causal_airflow.graph import direct_inputs
from causal_airflow.settings import read_settings
from causal_airflow.stage_task import placement
from causal_airflow.wecom.delivery import State, deliver
from causal_airflow.wecom.hook import MessageRefusedError, WeComRobotHook
from causal_airflow.wecom.notifier import WeComNotifier
from causal_tasks.dynamic.day import FeedDay, load_feed, stated_feeds
from causal_tasks.errors import ConfigurationError, InputError
from causal_tasks.pipelines.daily import DAILY, run_day_stage
from causal_tasks.pipelines.execution import FINAL
from causal_tasks.report.result import result_digest

_LABEL = "{{ task.feed }}"


def find_feeds() -> list[str]:
    """Ids of all feeds in the lake."""
    return stated_feeds(read_settings())


def day_tasks(feed: XComArg | str) -> None:
    """The tasks of one feed's day, wired as ``DAILY`` declares them, and the one that tells the group.

    The latter is a teardown: a robot that does not answer must not paint a good day red.
    """
    tasks: dict[str, BaseOperator] = {}
    for stage in DAILY.stages:
        task = DayStageOperator(
            task_id=stage.name,
            feed=feed,
            map_index_template=_LABEL,
            # Two that publish at the same moment could serve the earlier day.
            max_active_tis_per_dag=1 if stage.name == "publish" else None,
            on_failure_callback=WeComNotifier(
                f"实时增益失败 {DAILY.name} {stage.name}: {{{{ task.feed }}}} {{{{ run_id }}}} ({{{{ exception }}}})"
            ),
            **placement(stage),
        )
        task.set_upstream([tasks[name] for name in direct_inputs(DAILY, stage)])
        tasks[stage.name] = task
    tell = DayNotifyOperator(
        task_id="notify",
        feed=feed,
        map_index_template=_LABEL,
        pool="wecom",
        execution_timeout=timedelta(minutes=15),
    )
    tell.set_upstream(list(tasks.values()))
    tell.as_teardown()


class DayStageOperator(BaseOperator):
    """Does a stage, named by the task id, of one feed's day: that with which the run's data interval begins."""

    template_fields: Sequence[str] = ("feed",)
    ui_color = "#e8f1fa"

    def __init__(self, *, feed: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.feed = feed

    def execute(self, context: Context) -> dict[str, Any]:
        """Do the stage, or adopt what is there.

        Raises:
            AirflowSkipException: The feed is paused.
            AirflowFailException: The feed, its tables or the set-up is wrong; trying again would change nothing.
            Exception: Anything else may pass; it is tried again.
        """
        try:
            day = _day(self.feed, context)
            return run_day_stage(day, self.task_id.rsplit(".", 1)[-1]).model_dump(mode="json")
        except FINAL as error:
            raise AirflowFailException(str(error)) from error


class DayNotifyOperator(BaseOperator):
    """Tells the group of a feed's day where there is news, once."""

    template_fields: Sequence[str] = ("feed",)
    ui_color = "#e9f7ef"

    def __init__(self, *, feed: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.feed = feed

    def execute(self, context: Context) -> list[State]:
        """Send the message; returns how each of its parts stands.

        Raises:
            AirflowSkipException: There is no report, or no news in it.
            AirflowFailException: The robot, its connection or the message is wrong.
            RobotError: The robot did not take it; it is tried again.
        """
        from causal_tasks.dynamic.day_news import news_of

        try:
            if not _reported(context):
                raise AirflowSkipException(f"no report of feed {self.feed!r} was written")
            day = _day(self.feed, context)
            result = day.storage.read_json(f"{day.uri}/result.json")
            news = news_of(day, result)
            if not news:
                raise AirflowSkipException(f"nothing new about feed {self.feed!r} on {day.date}")
            return _send(day, result, news, context)
        except (InputError, ConfigurationError, MessageRefusedError) as error:
            raise AirflowFailException(str(error)) from error


def _send(day: FeedDay, result: dict[str, Any], news: Sequence[str], context: Context) -> list[State]:
    picture = day.output("report", "picture")
    delivery = day.feed.delivery
    messages = DAILY.tell()(
        result,
        delivery.languages[0],
        day.storage.presigned_url(f"{day.uri}/{DAILY.published('report')}", hours=day.settings.link_hours),
        news=news,
        picture=day.storage.read_bytes(picture) if picture else None,
    )
    return deliver(
        messages,
        claim=f"{day.uri}/{DAILY.claims}/{result_digest(result)}.json",
        dag_run=context["run_id"],
        storage=day.storage,
        send=WeComRobotHook(delivery.wecom).send,
    )


def _reported(context: Context) -> bool:
    """Whether the last stage of the same feed and run has ended well."""
    ti: Any = context["ti"]
    group = ti.task_id.rpartition(".")[0]
    report = f"{group}.{DAILY.stages[-1].name}"
    return ti.xcom_pull(task_ids=report, map_indexes=ti.map_index) is not None


def _day(feed: str, context: Context) -> FeedDay:
    """The feed's day of a run.

    Raises:
        AirflowSkipException: The feed is paused.
        InputError: The run has no day, or the feed is not as it was stated for earlier days of its revision.
    """
    begins = context.get("data_interval_start")
    if begins is None:
        raise InputError("this run has no data interval", remedy="give a logical date or create a backfill")
    settings = read_settings()
    stated = load_feed(feed, settings)
    if stated.status == "paused":
        raise AirflowSkipException(f"feed {feed!r} is paused")
    return FeedDay.open(stated, date.fromisoformat(f"{begins:%Y-%m-%d}"), settings)
