"""What to run: studies, search spaces and ladders."""
