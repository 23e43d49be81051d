"""One module per command; each imports what it needs and returns an exit code."""
