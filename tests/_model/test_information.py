"""Louis' observed information against numerical derivatives, for every expert under every gate."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from moe_classic._data.blocks import Block, Design
from moe_classic._data.stats import Summary, summarise
from moe_classic._model.gradient import likelihood_gradient
from moe_classic._model.information import available, observed_information, row_scores, supported
from moe_classic._model.model import Group, Model, MoEParams
from moe_classic.experts import (
    EXPERTS,
    BinomialExpert,
    GaussianExpert,
    LaplaceExpert,
    LogisticExpert,
    MultinomialExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    StudentTExpert,
)
from moe_classic.experts._linear import LinearExpert
from moe_classic.gates import GATES, ConstantGate, GaussianGate, SoftmaxGate
from moe_classic.gates._tree.gate import TreeGate

from ..contracts.scenes import guessed_summary, seeing_plain_columns

#: Step of the central differences.
STEP = 1e-5
#: What is promised; with this step the differences themselves are accurate to some 1e-9.
GRADIENT, HESSIAN = 1e-6, 1e-5
#: The same sums in another order.
ROUNDING = 1e-12
K = 3

#: Experts, and the number of outputs or classes.
EXPERT_CASES = {
    # Mixtures of single trials are hardly determined.
    "binomial": (BinomialExpert(trials=12), 1),
    "gaussian": (GaussianExpert(), 1),
    "gaussian tied": (GaussianExpert(tied=True), 1),
    "gaussian full": (GaussianExpert(), 2),
    "gaussian full tied": (GaussianExpert(tied=True), 2),
    "gaussian diag": (GaussianExpert(covariance_type="diag"), 2),
    "gaussian diag shared": (GaussianExpert(covariance_type="diag", shared=[1]), 2),
    "gaussian shared": (GaussianExpert(shared=[0]), 1),
    "gaussian tied shared": (GaussianExpert(tied=True, shared=[0, 1]), 1),
    "gaussian spherical": (GaussianExpert(covariance_type="spherical"), 2),
    "logistic": (LogisticExpert(), 2),
    "multinomial": (MultinomialExpert(), 3),
    "negative_binomial shared": (NegativeBinomialExpert(shared=[1]), 1),
    "poisson shared": (PoissonExpert(shared=[0]), 1),
    "student_t": (StudentTExpert(), 1),
    "student_t with df": (StudentTExpert(df=4.0), 1),
}
EXPERT_CASES |= {
    name: (cls(), 3 if cls.target == "class" else 1)
    for name, cls in EXPERTS.items()
    if issubclass(cls, LinearExpert) and cls.smooth and name not in EXPERT_CASES
}
GATE_CASES = {
    "constant": ConstantGate(),
    "gaussian": GaussianGate(),
    "gaussian diag": GaussianGate(covariance_type="diag"),
    "gaussian tied": GaussianGate(covariance_type="tied"),
    "softmax": SoftmaxGate(),
    "tree": TreeGate([[2], 1]),
}
GATE_CASES |= {
    name: cls()
    for name, cls in GATES.items()
    if hasattr(cls, "derivatives") and name not in GATE_CASES
}


@dataclass(frozen=True)
class Scene:
    """A model at random parameters, and rows that it drew."""

    model: Model
    params: MoEParams
    block: Block
    summary: Summary

    @property
    def theta(self):
        return self.model.pack(self.params)

    def at(self, theta):
        return self.model.unpack(theta, self.params, self.summary)

    def value(self, theta):
        return likelihood_gradient(self.model, self.at(theta), self.block).objective

    def slope(self, theta):
        return likelihood_gradient(self.model, self.at(theta), self.block).gradient


def moved(component, params, summary, rng):
    """Parameters at random near ``params``."""
    theta = component.pack(params)
    return component.unpack(theta + 0.4 * rng.standard_normal(theta.size), params, summary)


def make_scene(groups, gate, outputs, *, gate_design=0, n=40):
    """``groups`` are (expert, count, design number); the designs have widths 3, 2 and 1."""
    rng = np.random.default_rng(5)
    Z = np.vstack([rng.standard_normal((2, n)), np.ones(n)])
    designs = (Design(Z), Design(Z[1:]), Design(Z[2:]))
    classes = outputs if groups[0][0].target == "class" else 0
    guess = guessed_summary(groups[0][0].target, n, outputs, classes)
    bound = tuple(
        Group(seeing_plain_columns(e.bind(guess), designs[number].width - 1), count, number)
        for e, count, number in groups
    )
    draws = np.concatenate(
        [
            g.expert.sample(
                moved(
                    g.expert, g.expert.start(g.count, designs[g.design].width, guess), guess, rng
                ),
                designs[g.design],
                rng,
            )
            for g in bound
        ]
    )
    y = np.ascontiguousarray(draws[rng.integers(len(draws), size=n), ..., np.arange(n)].T)
    w = rng.uniform(0.5, 2.0, n)
    summary = summarise(y, w, classes)
    model = Model(gate, bound, gate_design)
    params = moved(model, model.start([d.width for d in designs], summary), summary, rng)
    return Scene(model, params, Block(designs, y, w), summary)


@cache
def scene_of(expert, gate):
    component, outputs = EXPERT_CASES[expert]
    width_one = 2 if isinstance(GATE_CASES[gate], ConstantGate) else 0
    return make_scene([(component, K, 0)], GATE_CASES[gate], outputs, gate_design=width_one)


MIXED = {
    "unlike experts": [(GaussianExpert(), 1, 0), (StudentTExpert(), 2, 0)],
    "designs of their own": [(GaussianExpert(), 2, 1), (StudentTExpert(df=3.0), 1, 2)],
}


#: Every expert under two gates and every gate over lines, classes and counts: what experts and gate
#: have in common, the block of second derivatives between them, is one line for all.
PAIRS = [
    (e, g)
    for e in EXPERT_CASES
    for g in GATE_CASES
    if g in ("softmax", "gaussian") or e in ("gaussian", "student_t", "multinomial", "poisson")
]


@pytest.fixture(params=PAIRS, ids="-".join)
def scene(request):
    return scene_of(*request.param)


@pytest.fixture(params=[(m, g) for m in MIXED for g in ("softmax", "gaussian")], ids="-".join)
def mixed_scene(request):
    mixed, gate = request.param
    return make_scene(MIXED[mixed], GATE_CASES[gate], 1)


def differences(f, theta):
    """Central differences, one row a coordinate."""
    steps = STEP * np.eye(theta.size)
    return np.array([(f(theta + s) - f(theta - s)) / (2.0 * STEP) for s in steps])


def assert_close(a, b, tolerance):
    """Relative to the largest entry."""
    np.testing.assert_allclose(a, b, rtol=0.0, atol=tolerance * np.abs(b).max())


def test_gradient_equals_differences_of_the_log_likelihood(scene):
    slope = scene.slope(scene.theta)
    assert_close(slope, differences(scene.value, scene.theta), GRADIENT)


def test_information_equals_differences_of_the_gradient(scene):
    seen = observed_information(scene.model, scene.params, scene.block)
    assert_close(seen.information, -differences(scene.slope, scene.theta), HESSIAN)


def test_information_brings_value_and_gradient_along(scene):
    seen = observed_information(scene.model, scene.params, scene.block)
    assert seen.objective == pytest.approx(scene.value(scene.theta), rel=ROUNDING)
    # The same sums in another order.
    assert_close(seen.gradient, scene.slope(scene.theta), 1e-10)


def test_information_equals_differences_when_groups_or_designs_differ(mixed_scene):
    scene = mixed_scene
    seen = observed_information(scene.model, scene.params, scene.block)
    assert_close(seen.information, -differences(scene.slope, scene.theta), HESSIAN)


def test_row_scores_add_up_to_gradient_and_outer_product(scene):
    rows = row_scores(scene.model, scene.params, scene.block)
    seen = observed_information(scene.model, scene.params, scene.block)
    w = scene.block.w
    assert_close(rows @ w, seen.gradient, 1e-10)
    assert_close((rows * w) @ rows.T, seen.scores, 1e-10)


def test_information_adds_over_blocks():
    scene = scene_of("student_t", "softmax")
    parts = []
    for rows in (slice(0, 17), slice(17, None)):
        designs = tuple(Design(d.Z[:, rows]) for d in scene.block.designs)
        block = Block(designs, scene.block.y[..., rows], scene.block.w[rows])
        parts.append(observed_information(scene.model, scene.params, block))
    whole = observed_information(scene.model, scene.params, scene.block)
    assert_close((parts[0] + parts[1]).information, whole.information, ROUNDING)


def test_information_of_a_row_of_weight_two_is_that_of_two_rows():
    scene = scene_of("gaussian", "gaussian")
    designs = scene.block.designs
    twice = Block(
        tuple(Design(np.concatenate([d.Z, d.Z], axis=1)) for d in designs),
        np.concatenate([scene.block.y, scene.block.y], axis=1),
        np.concatenate([scene.block.w, scene.block.w]),
    )
    heavy = Block(designs, scene.block.y, 2.0 * scene.block.w)
    a = observed_information(scene.model, scene.params, twice)
    b = observed_information(scene.model, scene.params, heavy)
    assert_close(a.information, b.information, ROUNDING)
    assert_close(a.scores, b.scores, ROUNDING)


def test_information_is_available_unless_an_expert_has_a_kink():
    assert available(scene_of("gaussian", "softmax").model)
    kinked = make_scene([(LaplaceExpert(), K, 0)], SoftmaxGate(), 1)
    assert not available(kinked.model)


def test_solvers_climb_with_the_information_under_linear_gates_only():
    assert supported(scene_of("gaussian", "softmax").model)
    assert supported(scene_of("gaussian", "tree").model)
    # A Gaussian gate has exact M-steps, and an information of far more local variables.
    assert not supported(scene_of("gaussian", "gaussian").model)
