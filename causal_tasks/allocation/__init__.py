"""Spends a budget over arms: what each unit brings and costs under every arm, and who gets which."""
