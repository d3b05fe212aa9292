"""Solvers of the multiple-choice knapsack behind every allocation."""
