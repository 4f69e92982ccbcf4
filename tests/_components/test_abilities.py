"""Abilities are declared, and one check says what is missing."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from moe_classic._components.abilities import ABILITIES, require
from moe_classic._data.stats import Summary
from moe_classic.experts import EXPERTS, EstimatorExpert, GaussianExpert, LaplaceExpert
from moe_classic.gates import GATES, EstimatorGate, SoftmaxGate


@pytest.mark.parametrize("registry", [EXPERTS, GATES], ids=["experts", "gates"])
def test_registered_components_have_what_is_asked_of_all(registry):
    for cls in registry.values():
        for ability in ("additive", "derivatives", "translate", "terms", "draw", "graph", "pack"):
            # A background has no lines that could be drawn.
            asked = cls.name != "uniform" or ability != "draw"
            assert cls().has(ability) == asked, (cls, ability)


def test_an_ability_is_a_method_that_is_there_or_a_fact_that_holds():
    gate, bound = EstimatorGate(LogisticRegression()), EstimatorExpert(Ridge())
    assert not any(gate.has(a) for a in ("additive", "derivatives", "translate", "pack", "graph"))
    bound = bound.bind(Summary(1.0, np.zeros(1), np.ones(1)))
    assert not any(bound.has(a) for a in ("additive", "derivatives", "lines", "terms", "pack"))
    assert bound.has("precision")
    assert bound.has("estimator_of")
    assert not LaplaceExpert().has("smooth")


def test_the_check_names_who_needs_what_of_whom_and_the_remedy():
    parts = [SoftmaxGate(), EstimatorGate(LogisticRegression())]
    require(parts, (), who="nobody", instead="")
    require(parts[:1], tuple(ABILITIES)[:2], who="somebody", instead="")
    sentence = (
        "newton needs `derivatives`, derivatives of the log density; 'estimator' gates have none. "
        "Use solver='em'."
    )
    with pytest.raises(ValueError, match="newton needs") as error:
        require(parts, ("derivatives",), who="newton", instead="Use solver='em'.")
    assert str(error.value) == sentence


def test_what_was_left_out_says_so_when_it_is_called():
    with pytest.raises(TypeError, match="EstimatorGate has no `translate`"):
        EstimatorGate(LogisticRegression()).translate(None, None, None)
    assert GaussianExpert().has("translate")
