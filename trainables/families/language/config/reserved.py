"""Tokens and words with a meaning of their own."""

BOS, EOS = 0, 1
"""Of tokenizers that are trained here; a checkpoint's own are `LanguageConfig.bos` and `eos`."""

SPECIAL = 2
"""Tokens that are no bytes: BOS (0), EOS (1)."""

MIN_VOCABULARY = 256 + SPECIAL

AUTO = "auto"
"""The architecture that a checkpoint says."""
