"""Against a moto server, over HTTP."""
