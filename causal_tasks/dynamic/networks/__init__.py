"""The networks of both models, and what trains them; torch is loaded when a model is fitted or read."""
