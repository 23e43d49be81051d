"""`language`: causal language models, fitted on token rows, sampled from BOS."""
