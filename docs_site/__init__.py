"""The documentation site: what MkDocs is told beyond the pages in docs/. Start at hook.py, which mkdocs.yml names."""
