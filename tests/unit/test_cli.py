"""What the command line makes of its arguments, in this process; ``tests/integration`` runs it as a program."""

import pytest
from rich.console import Console
from typer.testing import CliRunner

from causal_tasks import cli

terminal = CliRunner()


@pytest.fixture
def wide(monkeypatch):
    """A console that breaks no line."""
    monkeypatch.setattr(cli, "console", Console(width=400))


def test_a_folder_with_blanks_and_chinese_letters_is_written_to_under_its_own_name(tmp_path):
    lake = tmp_path / "我的 数据 100%"
    done = terminal.invoke(cli.app, ["simulate", "--users", "100", "--lake", str(lake)], catch_exceptions=False)
    assert done.exit_code == 0
    assert (lake / "experiments" / "music_autoplay.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [lake.name]


@pytest.mark.usefixtures("wide")
def test_names_in_brackets_are_shown_and_not_taken_for_colours(tmp_path):
    done = terminal.invoke(cli.app, ["doctor", "--lake", str(tmp_path / "[red]lake[/]")], catch_exceptions=False)
    assert "[red]lake[/]" in done.output
