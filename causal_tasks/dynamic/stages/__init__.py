"""Stages of a feed's day: each reads the feed's tables or what stages before it wrote, and writes files."""
