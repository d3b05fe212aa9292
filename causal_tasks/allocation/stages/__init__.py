"""Stages of the job that spends a budget."""
