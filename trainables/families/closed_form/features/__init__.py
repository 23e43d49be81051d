"""Ridge regression on random features, refitted to labels of its own and to those of worse teachers."""
