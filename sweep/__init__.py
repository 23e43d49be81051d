"""How studies run: from a study to finished cells, shown, planned and reported."""
