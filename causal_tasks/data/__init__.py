"""From raw tables to one row per unit: contracts, the join, validity checks, and simulated data with known truth."""
