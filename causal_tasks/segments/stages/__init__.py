"""Stages of the job that learns segments."""
