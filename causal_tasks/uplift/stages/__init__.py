"""Stages of the main job that learn effects: train, shortlist, tune, select."""
