"""Arguments that a class does not have are refused in sentences."""

import inspect
import pickle

import pytest
from sklearn.base import clone

import moe_classic
from moe_classic import HierarchicalMoERegressor, MetaPiRegressor, MoERegressor
from moe_classic.experts import EXPERTS, GaussianExpert, LogisticExpert, SkewTExpert
from moe_classic.gates import GATES, ConstantGate

ESTIMATORS = [
    cls
    for cls in map(moe_classic.__dict__.get, moe_classic.__all__)
    if inspect.isclass(cls) and hasattr(cls, "fit")
]
CLASSES = [*ESTIMATORS, *EXPERTS.values(), *GATES.values()]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("name", ["shared", "missing", "nonsense"])
def test_unknown_arguments_are_named_with_those_that_there_are(cls, name):
    known = inspect.signature(cls).parameters
    if name in known:
        return
    with pytest.raises(TypeError) as raised:
        cls(**{name: ["x0"]})
    said = str(raised.value)
    assert said.startswith(f"{cls.__name__} has no argument {name}=['x0']; it has ")
    assert all(other in said for other in known)
    assert said.endswith(".") or said.endswith("?")


def test_sentences_say_who_has_the_argument():
    for cls in (LogisticExpert, SkewTExpert):
        with pytest.raises(TypeError, match="GaussianExpert\\(shared="):
            cls(shared=["x0"])
    with pytest.raises(TypeError, match="MoERegressor with gate='gaussian'"):
        HierarchicalMoERegressor((2, 2), missing="marginalize")
    with pytest.raises(TypeError, match="Did you mean n_experts"):
        MoERegressor(n_expert=2)


def test_signatures_copies_and_pickles_are_those_without_it():
    assert list(inspect.signature(GaussianExpert).parameters)[:2] == ["features", "alpha"]
    assert "experts" in inspect.signature(MetaPiRegressor).parameters
    for made in (ConstantGate(), GaussianExpert(alpha=0.5), HierarchicalMoERegressor((2, 3))):
        for copied in (clone(made), pickle.loads(pickle.dumps(made))):
            assert repr(copied) == repr(made)


def test_a_class_without_arguments_takes_none():
    class Plain(ConstantGate):
        pass

    class Bare(moe_classic._sklearn.BaseEstimator):
        pass

    assert Plain().get_params() == ConstantGate().get_params()
    assert len(inspect.signature(Bare).parameters) == 0
    with pytest.raises(TypeError, match="Bare takes no arguments; it was given 3"):
        Bare(3)
    with pytest.raises(TypeError, match="Bare has no argument x=3; it has none"):
        Bare(x=3)
