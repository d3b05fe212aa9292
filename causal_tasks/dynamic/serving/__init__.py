"""Decisions over HTTP: the manifest that says what is served, its hot swap, and the server."""
