"""Side-by-side measurements against peers, printed as ratios; not part of the test run."""
