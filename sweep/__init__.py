"""How a study runs: Ray Tune, tracking, progress, planning and the command line."""
