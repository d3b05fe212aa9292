"""Whether an experiment can be trusted, and whether it can be mined."""
