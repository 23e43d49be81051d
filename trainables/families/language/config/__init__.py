"""What decides a language recursion: its fields, which of them go together, and what a generation costs."""

from trainables.families.language.config.footprint import SHOWN
from trainables.families.language.config.language_config import LanguageConfig
from trainables.families.language.config.reserved import AUTO, BOS, EOS, SPECIAL

__all__ = ["AUTO", "BOS", "EOS", "SHOWN", "SPECIAL", "LanguageConfig"]
