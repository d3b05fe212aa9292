"""The table of what stages took."""

from benchmarks.pipeline import Run, by_candidate, by_stage, usage_table
from benchmarks.processes import Usage
from benchmarks.schedule import Schedule, Task

GB = 10**9


def run(users: int, *, wall: float) -> Run:
    return Run(users, users // 2, 0, Schedule(wall, {}, "file:///run"))


def train(first: Usage, second: Usage) -> dict[Task, Usage]:
    return {Task("train", ("a",)): first, Task("train", ("b",)): second}


def test_tasks_are_added_up_and_growth_is_relative_to_the_number_of_users():
    taken = {
        100: {
            "train": train(Usage(2.0, 3.0, GB), Usage(3.0, 4.0, 2 * GB)),
            "mine": {Task("mine"): Usage(1.0, 1.0, GB)},
        },
        1000: {
            "train": train(Usage(40.0, 50.0, 3 * GB), Usage(60.0, 70.0, GB)),
            "mine": {Task("mine"): Usage(5.0, 5.0, GB)},
        },
    }
    runs = [run(100, wall=6), run(1000, wall=105)]
    assert usage_table("stage", runs, lambda run: taken[run.users]).splitlines() == [
        "| stage | 100 users: wall s | CPU s | peak GB | users/s | 1,000 users: wall s | CPU s | peak GB | users/s "
        "| growth / linear |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| train (2) | 5.00 | 7.00 | 2.00 | 20 | 100.0 | 120.0 | 3.00 | 10 | 2.00 |",
        "| mine | 1.00 | 1.00 | 1.00 | 50 | 5.00 | 5.00 | 1.00 | 100 | 0.50 |",
    ]


def test_one_size_alone_has_no_growth():
    table = usage_table("stage", [run(100, wall=6)], lambda _: {"mine": {Task("mine"): Usage(1.0, 1.0, GB)}})
    assert "growth" not in table


def test_items_that_share_a_task_count_as_so_many_passes_over_the_users():
    taken = {Task("train", ("a", "b")): Usage(4.0, 4.0, GB), Task("train", ("c",)): Usage(1.0, 1.0, GB)}
    schedule = Schedule(5.0, taken, "file:///run")
    lines = {
        line.split(" | ")[0]: line.split(" | ")[-1]
        for groups in (lambda run: {"train": by_stage(run)["train"]}, by_candidate)
        for line in usage_table("", [Run(200, 100, 0, schedule)], groups).splitlines()[2:]
    }
    assert lines == {"| train (3 in 2)": "60 |", "| a, b (2 in 1)": "50 |", "| c": "100 |"}
