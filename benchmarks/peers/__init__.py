"""Questions that this library and its peers answer, each in a process of its own.

A module here is run by the interpreter of ``.venv-peers`` (``make peers``) or of ``.venv``, so it imports at its top
only what both have.
"""
