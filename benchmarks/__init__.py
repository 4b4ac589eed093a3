"""The job beside a hand-written loop, on the same stand-in servers, in one run. See README.md."""
