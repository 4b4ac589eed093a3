"""`python -m pipeline check`: command.py has the table of the checks; the modules beside it make them."""
