"""Fits of every kind give the numbers that were recorded; see ``record.py`` for when they change.

Where the arithmetic is the recorded one (same bits of functions and products, same libraries) all
digits but the last few must agree. Elsewhere only what an isolated optimum fixes can.
"""

from functools import cache

import pytest

import moe_classic
from moe_classic.experts import EXPERTS
from moe_classic.gates import GATES
from moe_classic.solvers import SOLVERS

from .arithmetic import fingerprint
from .cases import CASES
from .digests import assert_alike, assert_same, digest, digests
from .record import load
from .registry import MADE_OF, OPTIMUM

LIKELIHOOD = f"{OPTIMUM}log-likelihood per row"

recorded = cache(load)
same_arithmetic = cache(lambda: fingerprint() == recorded()["arithmetic"])
ESTIMATORS = [n for n in moe_classic.__all__ if n.endswith(("Regressor", "Classifier"))]


@pytest.mark.parametrize("case", CASES.values(), ids=str)
def test_numbers_are_the_recorded_ones(case):
    for module in case.needs:
        pytest.importorskip(module)
    new, old = digests(case.run()), recorded()["cases"][case.name]
    if same_arithmetic():
        assert_same(new, old)
    else:
        assert_alike(case, new, old)


def test_every_case_is_recorded_and_no_other():
    assert recorded()["cases"].keys() == CASES.keys()


def _made_of():
    """Estimators, experts, gates and solvers that recorded fits were made of."""
    lines = [values.get(MADE_OF, "") for values in recorded()["cases"].values()]
    columns = [set(), set(), set(), set()]
    for line in lines:
        for column, words in zip(columns, line.split(" | "), strict=False):
            column.update(words.split(","))
    return columns


def test_every_registered_component_and_estimator_has_a_case():
    estimators, experts, gates, solvers = _made_of()
    assert set(ESTIMATORS) <= estimators
    assert {*EXPERTS, "estimator"} <= experts
    assert {*GATES, "estimator"} <= gates
    assert set(SOLVERS) <= solvers


def test_starts_agree_where_an_optimum_is_said_to_be_fixed():
    for name, values in recorded()["cases"].items():
        starts = values.get("objectives of starts", {"head": []})["head"]
        if LIKELIHOOD in values and len(starts) > 1:
            assert starts[1] == pytest.approx(starts[0], rel=1e-6, abs=1e-6), name


@pytest.mark.parametrize("change", [0.0, 1e-9])
@pytest.mark.parametrize("key", ["predict", "score_samples", "criteria", "expert 0 coef_"])
def test_comparison_notices_the_ninth_digit(key, change):
    old = recorded()["cases"]["regression, gaussian expert"]
    head = [v * (1.0 + change) for v in old[key]["head"]]
    new = old | {key: old[key] | {"head": head}}
    if not change:
        assert_same(new, old)
        return
    with pytest.raises(AssertionError, match=key):
        assert_same(new, old)


@pytest.mark.parametrize("part", ["sum", "size", "wave", "odd"])
def test_comparison_notices_what_is_beyond_the_first_entries(part):
    old = recorded()["cases"]["regression, gaussian expert"]
    values = old["score_samples"]
    new = old | {"score_samples": values | {part: values[part] + 1e-3 * values["size"]}}
    with pytest.raises(AssertionError):
        assert_same(new, old)


def test_comparison_notices_answers_that_come_or_go():
    old = recorded()["cases"]["regression, gaussian expert"]
    for new in (old | {"more": digest(1.0)}, {k: v for k, v in old.items() if k != "predict"}):
        with pytest.raises(AssertionError):
            assert_same(new, old)
        with pytest.raises(AssertionError):
            assert_alike(CASES["regression, gaussian expert"], new, old)


def test_loose_comparison_keeps_the_optimum_and_finite_answers():
    case = CASES["regression, gaussian expert"]
    old = recorded()["cases"][case.name]
    assert_alike(case, old | {"predict": digest([1.0])}, old)
    for new in (
        {LIKELIHOOD: digest(old[LIKELIHOOD]["head"][0] - 1e-3)},
        {"predict": digest([float("nan")])},
    ):
        with pytest.raises(AssertionError):
            assert_alike(case, old | new, old)
