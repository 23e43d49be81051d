"""Model families: one module (or package) each, named here. See `base.py` for the contract."""

from trainables.config import Registry
from trainables.families.base import Cost, Diverged, Evaluation, Family, FamilyConfig, World

FAMILIES = Registry(
    "family",
    {
        "linear": "trainables.families.closed_form.linear:LinearConfig",
        "gaussian": "trainables.families.closed_form.gaussian:GaussianConfig",
        "discrete": "trainables.families.closed_form.discrete:DiscreteConfig",
        "kde": "trainables.families.closed_form.kde:KdeConfig",
        "bernoulli": "trainables.families.closed_form.counts:BernoulliConfig",
        "poisson": "trainables.families.closed_form.counts:PoissonConfig",
        "mixture": "trainables.families.closed_form.mixture.family:MixtureConfig",
        "glm": "trainables.families.closed_form.glm.config:GlmConfig",
        "random_features": "trainables.families.closed_form.features.config:FeaturesConfig",
        "diffusion": "trainables.families.diffusion.config:DiffusionConfig",
        "language": "trainables.families.language.config:LanguageConfig",
        "vae": "trainables.families.vae.config:VaeConfig",
    },
)

__all__ = ["FAMILIES", "Cost", "Diverged", "Evaluation", "Family", "FamilyConfig", "World"]
