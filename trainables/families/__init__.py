"""Model families: one module (or package) each, named here. See `base.py` for the contract."""

from dataclasses import replace
from functools import cache

from trainables.config import Registry
from trainables.families.base import Cost, Diverged, Evaluation, Family, FamilyConfig, World
from trainables.families.card_rates import CardRates
from trainables.families.metrics import SUMMARIES, Metric, Role, undeclared

FAMILIES = Registry(
    "family",
    {
        "linear": "trainables.families.closed_form.linear:LinearConfig",
        "gaussian": "trainables.families.closed_form.gaussian:GaussianConfig",
        "discrete": "trainables.families.closed_form.discrete:DiscreteConfig",
        "kde": "trainables.families.closed_form.kde.config:KdeConfig",
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


@cache
def recorded(kind: str) -> tuple[Metric, ...]:
    """What the figures of a family's records mean, in the order of tables.

    Of a kind that is not registered, as that of imported runs, figures mean what their names mean in the first family
    that has them; the loss has no unit, and a verdict alone.
    """
    if kind in FAMILIES:
        found: tuple[Metric, ...] = FAMILIES.get(kind).recorded()
        return found
    return (*FamilyConfig.recorded(), *_shared().values())


def _shared() -> dict[str, Metric]:
    """Every family's metrics by name, the first family's of several."""
    found: dict[str, Metric] = {}
    for kind in FAMILIES:
        for metric in FAMILIES.get(kind).metrics:
            found.setdefault(metric.name, replace(metric, judged=False))
    return found


__all__ = [
    "FAMILIES",
    "SUMMARIES",
    "CardRates",
    "Cost",
    "Diverged",
    "Evaluation",
    "Family",
    "FamilyConfig",
    "Metric",
    "Role",
    "World",
    "recorded",
    "undeclared",
]
