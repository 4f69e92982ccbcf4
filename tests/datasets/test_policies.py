"""Policies: the form of the tables, the deductible, rates and tails as they are said to be."""

import numpy as np
import pytest
from scipy.special import expit

from moe_classic.datasets import make_policies


def test_tables_agree():
    policies, claims = make_policies(2000, random_state=0)
    assert list(policies) == [
        *("Exposure", "VehPower", "VehAge", "DrivAge", "BonusMalus", "ClaimNb"),
    ]
    assert policies.ClaimNb.sum() == len(claims)
    counted = np.bincount(claims.policy, minlength=2000)
    np.testing.assert_array_equal(counted, policies.ClaimNb)
    same = ["VehPower", "VehAge", "DrivAge", "BonusMalus"]
    np.testing.assert_array_equal(claims[same], policies.loc[claims.policy, same])
    assert policies.Exposure.between(0.05, 1.0).all()
    assert policies.BonusMalus.between(50, 150).all()
    assert policies.DrivAge.between(18, 80).all()


def test_deductible_takes_rows_away_and_nothing_else():
    (free, all_losses), (_, claims) = (
        make_policies(3000, deductible=d, random_state=1) for d in (0.0, 800.0)
    )
    assert claims.Loss.min() > 800.0
    kept = all_losses[all_losses.Loss > 800.0].reset_index(drop=True)
    np.testing.assert_array_equal(claims, kept)
    assert free.ClaimNb.sum() > len(claims)


def test_rates_are_those_of_the_two_kinds_of_drivers():
    policies, _ = make_policies(200_000, deductible=0.0, random_state=2)
    share = expit(-1.0 - 0.06 * (policies.DrivAge - 40.0) + 0.04 * (policies.BonusMalus - 60.0))
    mean = policies.Exposure * np.exp(-2.0 + 0.02 * (policies.VehPower - 8.0)) * (1.0 + 5.0 * share)
    assert policies.ClaimNb.sum() == pytest.approx(mean.sum(), rel=0.02)
    young = policies.DrivAge < 30
    assert policies.ClaimNb[young].sum() == pytest.approx(mean[young].sum(), rel=0.03)


def test_losses_are_those_of_their_two_kinds():
    _, claims = make_policies(100_000, deductible=0.0, random_state=3)
    share = expit(-2.4 + 0.15 * claims.VehPower)
    mean = (1.0 - share) * np.exp(6.9 + 0.125) + share * np.exp(8.4 + 0.605)
    assert claims.Loss.mean() == pytest.approx(mean.mean(), rel=0.03)
    assert np.log(claims.Loss).mean() == pytest.approx((6.9 + 1.5 * share).mean(), abs=0.02)


@pytest.mark.parametrize("options", [{"n_samples": 0}, {"deductible": -1.0}])
def test_impossible_arguments_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        make_policies(**options)
