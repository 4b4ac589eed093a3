"""The checks of `python -m pipeline check`, over a job that lacks nothing and one that does."""
