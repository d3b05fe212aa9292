"""Commands that bring data into the lake: a simulated experiment or feed, or a public data set."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

import typer

from causal_tasks.cli.terminal import Lake, settings_of, show, uri
from causal_tasks.experiment import Experiment, Mining
from causal_tasks.lake import experiment_uri, feed_uri, truth_uri


def simulate(
    experiment_id: Annotated[str, typer.Option(help="Id of the experiment to make.")] = "music_autoplay",
    users: Annotated[int, typer.Option(help="Users in the experiment.", min=100)] = 100_000,
    treatments: Annotated[int, typer.Option(help="Treatment arms beside control.", min=1, max=4)] = 1,
    effect: Annotated[float, typer.Option(help="Scale of the planted effects; 0 plants none.", min=0, max=2)] = 1.0,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 7,
    candidate: Annotated[list[str] | None, typer.Option(help="Model to train; repeat. Default: all.")] = None,
    trials: Annotated[int, typer.Option(help="Tuning trials of a finalist.", min=1)] = Mining().trials,
    lake: Lake = None,
) -> None:
    """Write a music-streaming experiment with planted subpopulations into the lake."""
    from causal_tasks.data.simulate import simulate_experiment

    settings = settings_of(lake)
    arms = ("treatment",) if treatments == 1 else tuple(f"treatment_{k}" for k in range(1, treatments + 1))
    mining = Mining(candidates=tuple(candidate) if candidate else Mining().candidates, trials=trials)
    made: Experiment = simulate_experiment(
        settings, experiment_id=experiment_id, users=users, treatments=arms, effect=effect, seed=seed, mining=mining
    )
    show(f"experiment: {experiment_uri(made.experiment_id, settings)}")
    show(f"truth:      {truth_uri(made.experiment_id, settings)}")


def simulate_coupons(
    experiment_id: Annotated[str, typer.Option(help="Id of the experiment to make.")] = "coupons",
    users: Annotated[int, typer.Option(help="Users in the experiment.", min=100)] = 50_000,
    arms: Annotated[int, typer.Option(help="Coupon values, none among them.", min=2, max=11)] = 5,
    noise: Annotated[float, typer.Option(help="Standard deviation of the outcome around its mean.", min=0)] = 1.0,
    logs: Annotated[int, typer.Option(help="Users with biased logs besides; 0 writes none.", min=0)] = 0,
    budget: Annotated[list[float] | None, typer.Option(help="Per user; repeat.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="To compare; repeat. Default: as by default.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.", min=0)] = 7,
    lake: Lake = None,
) -> None:
    """Write an experiment of coupons of several values, with budgets and known truth, into the lake."""
    from causal_tasks.data.coupon_experiment import BUDGETS
    from causal_tasks.data.coupon_experiment import simulate_coupons as write_coupons

    settings = settings_of(lake)
    made = write_coupons(
        settings,
        experiment_id=experiment_id,
        users=users,
        arms=arms,
        noise=noise,
        logs=logs,
        budgets=budget or BUDGETS,
        methods=method,
        seed=seed,
    )
    show(f"experiment: {experiment_uri(made.experiment_id, settings)}")
    show(f"truth:      {truth_uri(made.experiment_id, settings)}")
    show(f"next:       causal-tasks allocate {made.experiment_id}" + (f" --lake {lake}" if lake else ""))


def simulate_creatives(
    experiment_id: Annotated[str, typer.Option(help="Id of the experiment to make.")] = "creatives",
    users: Annotated[int, typer.Option(help="Users in the experiment.", min=100)] = 70_000,
    seed: Annotated[int, typer.Option(help="Of everything random.", min=0)] = 7,
    lake: Lake = None,
) -> None:
    """Write an experiment of messages made for three segments, with known truth, into the lake."""
    from causal_tasks.data.creative_experiment import simulate_creatives as write_creatives

    settings = settings_of(lake)
    made = write_creatives(settings, experiment_id=experiment_id, users=users, seed=seed)
    show(f"experiment: {experiment_uri(made.experiment_id, settings)}")
    show(f"truth:      {truth_uri(made.experiment_id, settings)}")
    show(f"next:       causal-tasks segment {made.experiment_id}" + (f" --lake {lake}" if lake else ""))


def simulate_videos(
    feed_id: Annotated[str, typer.Option(help="Id of the feed to make.")] = "videos",
    users: Annotated[int, typer.Option(help="Users of the feed.", min=100)] = 6_000,
    days: Annotated[int, typer.Option(help="Days with requests.", min=7)] = 35,
    last_day: Annotated[datetime, typer.Option(help="Last of them.", formats=["%Y-%m-%d"])] = datetime(2026, 11, 1),
    requests_per_day: Annotated[float, typer.Option(help="Mean of a user who comes.", min=1)] = 2.0,
    bucketing: Annotated[Literal["three", "four"], typer.Option(help="Categories of duration.")] = "three",
    seed: Annotated[int, typer.Option(help="Of everything random.", min=0)] = 7,
    lake: Lake = None,
) -> None:
    """Write a feed of short videos, with users, weeks under drawn arms, requests and known truth, into the lake."""
    from causal_tasks.data.video_feed import simulate_feed

    settings = settings_of(lake)
    made = simulate_feed(
        settings,
        feed_id=feed_id,
        users=users,
        days=days,
        last_day=last_day.date(),
        requests_per_day=requests_per_day,
        bucketing=bucketing,
        seed=seed,
    )
    morning = last_day.date() + timedelta(days=1)
    show(f"feed:       {feed_uri(made.feed_id, settings)}")
    show(f"truth:      {truth_uri(made.feed_id, settings)}")
    show(f"next:       causal-tasks daily {made.feed_id} {morning}" + (f" --lake {lake}" if lake else ""))


def import_dataset(
    layout: Annotated[str, typer.Argument(help="Public data set: hillstrom, criteo, lazada or starbucks.")],
    file: Annotated[str, typer.Argument(help="Its file as it was published (CSV, .csv.gz or Parquet), or a URI.")],
    experiment_id: Annotated[str | None, typer.Option(help="Id of the experiment to write. Default: LAYOUT.")] = None,
    lake: Lake = None,
) -> None:
    """Copy a public data set into the lake and state its experiment."""
    from causal_tasks.data.public import import_public

    made = import_public(layout, uri(file), settings_of(lake), experiment_id=experiment_id)
    for remark in made.remarks:
        show(f"note:       {remark}")
    show(f"dataset:    {made.dataset_uri} ({made.rows:,} users)")
    show(f"experiment: {made.experiment_uri}")
    show(f"next:       causal-tasks run {made.experiment.experiment_id}" + (f" --lake {lake}" if lake else ""))
