"""The small web server, its pages, and what they are made of."""
