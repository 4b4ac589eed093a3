"""Faults from outside the process: a proxy before the stand-in for AWS, signals, hostile objects and functions."""
