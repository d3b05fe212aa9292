"""``python -m causal_tasks``: the command line of this very environment."""

from causal_tasks.cli import main

main()
