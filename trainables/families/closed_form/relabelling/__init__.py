"""Regressions refitted to labels that a model gave to inputs itself: what `linear` and `random_features` share."""

from trainables.families.closed_form.relabelling.family import Relabelling

__all__ = ["Relabelling"]
