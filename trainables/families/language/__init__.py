"""Language models pretrained from scratch, of any causal architecture of transformers."""
