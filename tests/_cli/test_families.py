"""Which families the command tries for a target."""

import numpy as np
import pytest

from moe_classic._cli import fitting_families, suited_families
from moe_classic.experts import EXPERTS

REAL = ["gaussian", "laplace", "student_t"]


@pytest.mark.parametrize(
    ("y", "families", "why"),
    [
        ([0, 1, 3, 12], ["poisson", "negative_binomial"], "whole numbers from 0 to 12"),
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
    assert [f for f in found.families if f != "zero_inflated_poisson"] == families
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
