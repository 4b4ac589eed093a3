"""The small web server of `--metrics_port`: server.py serves what pages.py has; the modules beside them make it."""
