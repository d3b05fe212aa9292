"""The sections of the report: each a record of finished texts and the function that tells it from a result."""
