"""Tests: unit mirrors the source, properties are for pure code, integration needs a stand-in server."""
