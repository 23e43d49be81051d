"""Random policies: compositions of the five parts, and the named ones with random parameters."""

from hypothesis import assume
from hypothesis import strategies as st
from pydantic import ValidationError

from trainables import Cell
from trainables.policies import POLICIES
from trainables.recursion import planned_reserve

FRACTIONS = st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 0.618, 0.9, 1.0])
TIMES = st.sampled_from([0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0])


@st.composite
def shares(draw):
    """One share of a corpus, as a user would write it."""
    source = draw(st.sampled_from(["real", "fresh", "latest", "synthetic", "pool"]))
    share = {"source": source}
    if source in ("synthetic", "pool") and draw(st.booleans()):
        share["window"] = draw(st.integers(1, 4))
    if source == "fresh" or draw(st.booleans()):
        share["times"] = draw(FRACTIONS)
        if source != "fresh":
            share["how"] = draw(st.sampled_from(["first", "subsample", "bootstrap"]))
        if draw(st.booleans()):
            share["power"] = draw(st.sampled_from([-1.0, -0.5]))
    if draw(st.booleans()):
        share["weight"] = draw(st.sampled_from([0.25, 0.5, 2.0, 3.0]))
    return share


@st.composite
def compositions(draw):
    """A composition as plain data; not every one is valid, nor asks only for rows that exist."""
    policy = {"kind": "compose", "corpus": draw(st.lists(shares(), min_size=1, max_size=3))}
    if draw(st.booleans()):
        policy["sample"] = {"times": draw(TIMES), "power": draw(st.sampled_from([0.0, 0.5, 1.0]))}
    return policy


@st.composite
def named(draw):
    """A named policy of the whole-batch kind, as plain data."""
    return draw(
        st.one_of(
            st.sampled_from(["replace", "accumulate", "replace_multiple", "accumulate_subsample"]).map(
                lambda kind: {"kind": kind}
            ),
            st.builds(lambda window: {"kind": "sliding_window", "window": window}, st.integers(1, 5)),
            st.builds(lambda r, s: {"kind": "synthetic_augmentation", "real": r, "synthetic": s}, FRACTIONS, TIMES),
            st.builds(lambda r, s: {"kind": "fresh_mix", "real": r, "synthetic": s}, TIMES, TIMES),
            st.builds(lambda w, r: {"kind": "weighted_fresh", "weight": w, "real": r}, st.floats(0.01, 0.99), TIMES),
            st.builds(lambda r, f: {"kind": "ratio_mix", "ratio": r, "fresh": f}, st.floats(0, 1), st.booleans()),
            st.builds(
                lambda s, r, f: {"kind": "decaying_real", "schedule": s, "rate": r, "fresh": f},
                st.sampled_from(["power", "exponential"]),
                st.floats(0.01, 5),
                st.booleans(),
            ),
        )
    )


@st.composite
def cells(draw, policies=None):
    """A cell of the cheapest family whose recipes can be served."""
    policy = draw(policies if policies is not None else st.one_of(compositions(), named()))
    fields = {
        "family": {"kind": "gaussian"},
        "policy": policy,
        "rows": draw(st.integers(6, 15)),
        "generations": draw(st.integers(1, 5)),
        "replicates": draw(st.sampled_from([1, 1, 3])),
        "seed": draw(st.integers(0, 3)),
    }
    if draw(st.integers(0, 3)) == 0:
        fields["fork"] = {"generation": draw(st.integers(1, 4)), "policy": draw(named())}
    cell = parse(fields)
    assume(cell is not None)
    return cell


def parse(fields):
    """The cell, or None where it is refused."""
    try:
        cell = Cell.model_validate(fields)
        planned_reserve(cell)
    except (ValidationError, ValueError):
        return None
    return cell


def by_name():
    """Every registered policy by name alone."""
    return st.sampled_from(sorted(POLICIES)).map(lambda kind: POLICIES.get(kind)())
