"""Benchmarks of the server of decisions and of the lookup that it finds users in."""
