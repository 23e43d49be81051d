"""Model families: one module (or package) each, named here. See `base.py` for the contract."""

from trainables.config import Registry
from trainables.families.base import Cost, Diverged, Evaluation, Family, FamilyConfig, World

FAMILIES = Registry(
    "family",
    {
        "linear": "trainables.families.linear:LinearConfig",
        "gaussian": "trainables.families.gaussian:GaussianConfig",
        "language": "trainables.families.language.config:LanguageConfig",
    },
)

__all__ = ["FAMILIES", "Cost", "Diverged", "Evaluation", "Family", "FamilyConfig", "World"]
