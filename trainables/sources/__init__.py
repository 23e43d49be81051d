"""Real data, each source embedded, read from a file, or loaded from the hub."""
