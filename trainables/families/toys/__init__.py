"""What the closed-form families share: exact draws of statistics, rows on demand, summaries of replicates."""
