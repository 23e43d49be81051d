"""Named studies: one function each, in a module of its own, registered here by name."""

from __future__ import annotations

import importlib

from search_spaces.study import Study
from trainables.families import FAMILIES

__all__ = ["STUDIES", "named_study"]

STUDIES = {
    "quickstart": "search_spaces.studies.quickstart:quickstart",
    "laptop/linear": "search_spaces.studies.laptop:laptop_linear",
    "laptop/language": "search_spaces.studies.laptop:laptop_language",
    "laptop/vae": "search_spaces.studies.laptop:laptop_vae",
    "laptop/diffusion": "search_spaces.studies.laptop:laptop_diffusion",
    "paper/linear": "search_spaces.studies.paper:paper_linear",
    "paper/language": "search_spaces.studies.paper:paper_language",
    "paper/language-50": "search_spaces.studies.paper:paper_language_50",
    "paper/vae": "search_spaces.studies.paper:paper_vae",
    "paper/diffusion": "search_spaces.studies.paper:paper_diffusion",
    "falsify/linear": "search_spaces.studies.falsify:falsify_linear",
    "falsify/language": "search_spaces.studies.falsify:falsify_language",
    "falsify/vae": "search_spaces.studies.falsify:falsify_vae",
    "recovery/language": "search_spaces.studies.recovery:recovery_language",
    "recovery/vae": "search_spaces.studies.recovery:recovery_vae",
    "finetune/laptop": "search_spaces.studies.finetune:finetune_laptop",
    "finetune/lora": "search_spaces.studies.finetune:finetune_lora",
    "finetune/beam": "search_spaces.studies.finetune:finetune_beam",
    "finetune/prompts": "search_spaces.studies.finetune:finetune_prompts",
    "finetune/response": "search_spaces.studies.finetune:finetune_response",
    "finetune/continual": "search_spaces.studies.finetune:finetune_continual",
    "finetune/mixes": "search_spaces.studies.finetune:finetune_mixes",
    "finetune/previous": "search_spaces.studies.finetune:finetune_previous",
    "finetune/opt": "search_spaces.studies.finetune:finetune_opt",
    "finetune/gpt2": "search_spaces.studies.finetune:finetune_gpt2",
    "finetune/gemma": "search_spaces.studies.finetune:finetune_gemma",
    "finetune/olmo": "search_spaces.studies.finetune:finetune_olmo",
    "finetune/smollm2": "search_spaces.studies.finetune:finetune_smollm2",
    "scaling/language": "search_spaces.studies.scaling:scaling_language",
    "scaling/vae": "search_spaces.studies.scaling:scaling_vae",
    "population/linear": "search_spaces.studies.population:population_linear",
    "population/gaussian": "search_spaces.studies.population:population_gaussian",
    "population/language": "search_spaces.studies.population:population_language",
    "population/falsify": "search_spaces.studies.population:population_falsify",
    "theory/linear": "search_spaces.studies.theory:theory_linear",
    "theory/gaussian": "search_spaces.studies.theory:theory_gaussian",
    "theory/discrete": "search_spaces.studies.theory:theory_discrete",
    "theory/kde": "search_spaces.studies.theory:theory_kde",
    "theory/counts": "search_spaces.studies.theory:theory_counts",
    "theory/glm": "search_spaces.studies.theory:theory_glm",
    "theory/random_features": "search_spaces.studies.theory:theory_random_features",
    "glm/tables": "search_spaces.studies.glm:glm_tables",
    "glm/weights": "search_spaces.studies.glm:glm_weights",
    "features/scaling": "search_spaces.studies.features:features_scaling",
    "features/strong": "search_spaces.studies.features:features_strong",
    "features/quality": "search_spaces.studies.features:features_quality",
    **{f"policies/{kind}": f"search_spaces.studies.policies:policies_on:{kind}" for kind in FAMILIES},
}
"""Name -> "module:function", or "module:function:argument"; the function gives one complete, frozen study."""


def named_study(name: str) -> Study:
    """The registered study of this name.

    Raises:
        KeyError: there is none.
    """
    module, function, *arguments = STUDIES[name].split(":")
    study: Study = getattr(importlib.import_module(module), function)(*arguments)
    return study
