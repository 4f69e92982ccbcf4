"""Which families the command tries for a target."""

import numpy as np
import pytest
from sklearn.base import clone

from moe_classic._cli import all_families, fitting_families, suited_families
from moe_classic._cli.families import expert_called, family_of
from moe_classic.experts import EXPERTS, ZeroInflatedExpert

REAL = ["gaussian", "laplace", "student_t"]


@pytest.mark.parametrize(
    ("y", "families", "why"),
    [
        ([0, 1, 2, 3, 5], ["poisson", "negative_binomial"], "whole numbers from 0 to 5"),
        ([1, 2, 5], ["poisson", "negative_binomial"], "whole numbers"),
        ([43, 70, 96], REAL, "Real"),
        ([0.5, 3.0, 20.0], ["gamma", "lognormal"], "0.5 to 20"),
        ([1.35, 2.0, 3.0], REAL, "Real"),
        ([0.0, 3.5, 20.0], REAL, "Real"),
        ([-1, 0, 2, 3], REAL, "Real"),
        ([0, 1, 0, 1], REAL, "Real"),
    ],
)
def test_families_suit_the_target(y, families, why):
    found = suited_families(np.array(y), "regression")
    assert found.families == families
    assert set(found.families) <= set(fitting_families(y, "regression"))
    assert why in found.why


def test_classes_have_one_family():
    assert suited_families(np.array(["a", "b"]), "classification").families == ["multinomial"]
    assert fitting_families(["a", "b"], "classification") == ["logistic", "multinomial"]


def test_all_families_that_can_describe_the_target_may_be_named():
    counts = fitting_families([0, 1, 4], "regression")
    assert {"poisson", "gaussian"} <= set(counts)
    assert not {"gamma", "beta", "multinomial"} & set(counts)
    assert {"beta", "gamma", "gaussian"} <= set(fitting_families([0.2, 0.7], "regression"))
    assert set(fitting_families([-1.0], "regression")) == {
        name for name, cls in EXPERTS.items() if cls.target in ("real", "interval")
    }


def test_counts_with_more_zeros_than_poisson_ones_are_tried_with_inflation(rng):
    y = rng.poisson(3.0, 400)
    plain = suited_families(y, "regression")
    assert plain.families == ["poisson", "negative_binomial"]
    found = suited_families(np.where(rng.random(400) < 0.3, 0, y), "regression")
    assert found.families == ["poisson", "negative_binomial", "zero_inflated_poisson"]
    assert "of them zero, more than a Poisson distribution has" in found.why
    # One zero among large counts is one row that is unlike the others.
    few = suited_families(np.r_[0, rng.poisson(300.0, 400)], "regression")
    assert "zero_inflated_poisson" not in few.families


def test_the_test_for_zeros_keeps_its_level(rng):
    """One-sided at three standard errors: one Poisson sample in 740 is taken for inflated."""
    samples = rng.poisson(1.5, (2000, 200))
    tried = [len(suited_families(y, "regression").families) == 3 for y in samples]
    assert sum(tried) <= 10


@pytest.mark.parametrize("family", all_families())
def test_families_are_found_again_by_their_experts(family):
    expert = expert_called(family)
    assert family_of(expert) == family
    if family.startswith("zero_inflated"):
        assert isinstance(expert, ZeroInflatedExpert)
        assert expert is not expert_called(family)
        assert family_of(clone(expert)) == family
        assert family in fitting_families([0, 1, 4], "regression")
        assert family not in fitting_families([0.5, 1.0], "regression")
