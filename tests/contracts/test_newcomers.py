"""Components of one's own: written outside the package, registered nowhere, with all the surface.

They are those of the page docs/extending.md, whose code becomes a module of its own here.
"""

import importlib.util
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.linear_model import PoissonRegressor
from sklearn.model_selection import GridSearchCV, KFold

from moe_classic import MoEClassifier, MoERegressor
from moe_classic.datasets import make_moe
from moe_classic.metrics import crps_mixture, crps_samples, pit_error, pit_values
from moe_classic.model_selection import select
from moe_classic.solvers import EM

from . import scenes, test_experts, test_gates
from .scenes import Case

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
FENCE = re.compile(r"^```python\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The code of the page as a module, so that its classes can be pickled."""
    path = tmp_path_factory.mktemp("user") / "my_components.py"
    path.write_text("\n".join(FENCE.findall(PAGE.read_text("utf-8"))), "utf-8")
    spec = importlib.util.spec_from_file_location("my_components", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["my_components"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["my_components"]


# ------------------------------------------------------------------------- the contracts

#: What holds for experts of every target, and what for those with a location and a scale too.
ANY = ["EXPERT_CASES", "smooth_only", "several_only"]


def contracts(module, *names):
    """Contract tests of one case alone that run on the cases of these lists."""
    lists = [getattr(module, name, getattr(scenes, name, None)) for name in names]
    for name, test in vars(module).items():
        marks = [m for m in getattr(test, "pytestmark", []) if m.name == "parametrize"]
        if not name.startswith("test_") or len(marks) != 1 or marks[0].args[0] != "case":
            continue
        if any(marks[0].args[1] is cases for cases in lists):
            yield name


EXPERT_CONTRACTS = list(contracts(test_experts, *ANY))
REAL_CONTRACTS = list(contracts(test_experts, *ANY, "REAL_CASES"))
GATE_CONTRACTS = [
    name
    for name in contracts(test_gates, "GATE_CASES", "several_only")
    # Without coordinates there is no derivative to compare.
    if not re.search("gradient|penalty|coordinates|pack|write", name)
]


def test_there_are_contracts_to_run():
    assert len(EXPERT_CONTRACTS) >= 10
    assert set(EXPERT_CONTRACTS) < set(REAL_CONTRACTS)
    assert len(GATE_CONTRACTS) >= 4


@pytest.mark.parametrize("name", REAL_CONTRACTS)
def test_noise_of_ones_own_keeps_the_contract(page, name):
    settings = {} if "penalty" not in name else {"alpha": 0.2}
    case = Case("logistic_noise", settings, monotone=True, cls=page.LogisticNoiseExpert)
    getattr(test_experts, name)(case=case)


@pytest.mark.parametrize("name", EXPERT_CONTRACTS)
def test_another_target_keeps_the_contract(page, name):
    case = Case("poisson", {"alpha": 0.2}, cls=page.PoissonExpert)
    getattr(test_experts, name)(case=case)


@pytest.mark.parametrize("name", GATE_CONTRACTS)
def test_gate_of_ones_own_keeps_the_contract(page, name):
    case = Case("binned", cls=page.BinnedGate)
    getattr(test_gates, name)(case=case)


# ------------------------------------------------------------------------- the surface


def fits(page):
    """Fitted mixtures with a component of one's own, and their rows."""
    return {
        "noise": (page.crash, page.X, page.y),
        "counts": (page.counts, page.x, page.visits),
        "gate": (page.binned, page.X, page.y),
        "solver": (page.stretched, page.X, page.y),
    }


each = pytest.mark.parametrize("which", ["noise", "counts", "gate", "solver"])
INSIDE = {"noise": "expert", "counts": "expert", "gate": "gate", "solver": "solver"}


@each
def test_estimator_answers_everything(page, which):
    moe, X, y = fits(page)[which]
    n = len(X)
    assert moe.converged_
    assert np.diff(moe.trace_).min(initial=0.0) > -1e-9 * abs(moe.log_likelihood_)
    assert moe.log_likelihood(X, y) == pytest.approx(moe.log_likelihood_, rel=1e-8)
    mean, std = moe.predict(X, return_std=True)
    assert mean.shape == std.shape == (n,)
    assert (std > 0.0).all()
    assert moe.score(X, y) > 0.0
    low, middle, high = moe.predict_quantile(X, [0.05, 0.5, 0.95]).T
    assert ((low <= middle) & (middle <= high)).all()
    # The levels differ by rounding.
    np.testing.assert_allclose(moe.predict_interval(X, 0.9), np.stack([low, high], 1), rtol=1e-9)
    cdf = moe.predict_cdf(X, y)
    assert ((cdf >= 0.0) & (cdf <= 1.0)).all()
    assert (moe.crps(X, y) >= 0.0).all()
    np.testing.assert_array_equal(crps_samples(moe, X, y), moe.crps(X, y))
    mode = moe.predict_mode(X)
    assert (moe.score_samples(X, mode) >= moe.score_samples(X, middle) - 1e-9).all()
    assert moe.sample(X, 3, random_state=0).shape == (n, 3)
    assert moe.expert_predictions(X).shape == (n, moe.n_experts)
    np.testing.assert_allclose(moe.responsibilities(X, y).sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(moe.predict(X, top_k=moe.n_experts), mean, rtol=1e-9)
    assert np.isfinite([moe.aic(X, y), moe.bic(X, y), moe.icl(X, y)]).all()
    assert np.isfinite(
        moe.summary().loc["expert"].drop(columns="note", errors="ignore").to_numpy()
    ).all()
    assert "share" in str(moe.summary())
    assert str(moe.explain(X[:3]))
    assert moe._repr_html_()


@each
def test_estimator_can_be_copied_and_searched(page, which):
    moe, X, y = fits(page)[which]
    again = pickle.loads(pickle.dumps(moe))
    np.testing.assert_array_equal(again.predict(X), moe.predict(X))
    fresh = clone(moe)
    assert repr(fresh.get_params()[INSIDE[which]]) == repr(moe.get_params()[INSIDE[which]])
    quick = clone(moe).set_params(n_init=1, tol=1e-3)
    cv = KFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(quick, {"n_experts": [1, 2]}, cv=cv, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.0
    chosen = select(X, y, estimator=quick, n_experts=[1, 2])
    assert len(chosen.table) == 2


def test_surface_of_a_mixture_is_that_of_its_components(page):
    """Expectations of draws, quantiles against the distribution function, scores by pairs."""
    moe, X, y = page.crash, page.X.iloc[::20], page.y.iloc[::20]
    # Draws are made for all rows together, one after the other: a row a hundred times is faster.
    draws = moe.sample(X.iloc[np.repeat(np.arange(len(X)), 100)], 20, random_state=0)
    draws = draws.reshape(len(X), 2000)
    mean, std = moe.predict(X, return_std=True)
    np.testing.assert_allclose(draws.mean(axis=1), mean, atol=5.0 * std.max() / 2000**0.5)
    # An expert of a share of 1e-4 adds some .2 to one of the deviations, and is seldom drawn.
    np.testing.assert_allclose(draws.std(axis=1), std, rtol=0.15, atol=0.25)
    np.testing.assert_allclose(moe.predict_cdf(X, moe.predict_quantile(X, 0.3)), 0.3, rtol=1e-9)
    location, scale = moe.expert_predictions(X), [e.scale_ for e in moe.experts_]
    known = crps_mixture(y, moe.gate_proba(X), location, scale, family="logistic")
    np.testing.assert_allclose(moe.crps(X, y), known, rtol=1e-6)


def test_logistic_noise_has_the_moments_of_scipy(page):
    expert = page.LogisticNoiseExpert()
    params = expert.start(1, 1, scenes.Summary(1.0, np.zeros(1), np.ones(1)))
    assert expert.standard_variance(params) == pytest.approx(np.pi**2 / 3.0, rel=1e-9)
    z = np.linspace(-4.0, 4.0, 9)
    np.testing.assert_allclose(expert.standard_pdf(params, z), stats.logistic.pdf(z), rtol=1e-12)
    q = np.array([[[1e-6, 0.2, 0.9]]])
    np.testing.assert_allclose(
        expert.standard_quantile(params, q), stats.logistic.ppf(q), rtol=1e-9
    )


# ------------------------------------------------------------------------- counts


def test_one_poisson_expert_is_poisson_regression(page):
    x, y = page.x, page.visits
    moe = MoERegressor(1, expert=page.PoissonExpert(alpha=0.0), standardize=False, tol=1e-12)
    moe.fit(x, y)
    known = PoissonRegressor(alpha=0.0, solver="newton-cholesky", tol=1e-12).fit(x, y)
    np.testing.assert_allclose(moe.experts_[0].coef_, known.coef_, rtol=1e-7)
    assert moe.experts_[0].intercept_ == pytest.approx(known.intercept_, rel=1e-7)
    mean = known.predict(x)
    np.testing.assert_allclose(moe.score_samples(x, y), stats.poisson.logpmf(y, mean), rtol=1e-6)
    table = moe.inference(x, y).experts
    design = np.column_stack([np.ones(len(x)), x])
    error = np.sqrt(np.diag(np.linalg.inv((design.T * mean) @ design)))
    np.testing.assert_allclose(table.std_error, error, rtol=1e-5)


def test_quantiles_of_counts_are_attained_and_probabilities_sum_to_one(page):
    moe, x = page.counts, page.x[::40]
    n = len(x)
    values = np.arange(200.0)
    rows, y = np.repeat(x, values.size, axis=0), np.tile(values, n)
    p = np.exp(moe.score_samples(rows, y)).reshape(n, -1)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-10)
    np.testing.assert_allclose(
        p.cumsum(axis=1), moe.predict_cdf(rows, y).reshape(n, -1), atol=1e-12
    )
    for q in (0.01, 0.3, 0.5, 0.9, 0.999):
        found = moe.predict_quantile(x, q)
        np.testing.assert_array_equal(found, (p.cumsum(axis=1) >= q).argmax(axis=1))
    np.testing.assert_array_equal(moe.predict_mode(x), p.argmax(axis=1))
    mean, std = moe.predict(x, return_std=True)
    np.testing.assert_allclose(mean, p @ values, rtol=1e-9)
    np.testing.assert_allclose(std**2, p @ values**2 - mean**2, rtol=1e-8)
    pairs = np.einsum("ni,ij,nj->n", p, np.abs(values[:, None] - values), p)
    at = np.full(n, 3.0)
    expected = (p * np.abs(values - 3.0)).sum(axis=1) - 0.5 * pairs
    np.testing.assert_allclose(moe.crps(x, at), expected, rtol=1e-8)


def test_transform_of_counts_is_drawn_between_its_ends(page):
    moe, x, y = page.counts, page.x, page.visits
    pit = pit_values(moe, x, y, random_state=0)
    assert (pit <= moe.predict_cdf(x, y)).all()
    assert (pit >= moe.predict_cdf(x, y - 1)).all()
    # Below 1.36 / sqrt(n) in 95 % of samples from the right model; without draws far above.
    assert pit_error(pit) < 1.36 / len(x) ** 0.5
    assert pit_error(moe.predict_cdf(x, y)) > 0.1
    np.testing.assert_array_equal(pit, pit_values(moe, x, y, random_state=0))


@pytest.mark.parametrize("wrong", [-1.0, 0.5])
def test_target_that_is_no_count_is_named(page, wrong):
    y = page.visits.astype(float)
    y[3] = wrong
    with pytest.raises(ValueError, match=f"PoissonExpert describes a count target.*{wrong:g}"):
        MoERegressor(2, expert=page.PoissonExpert()).fit(page.x, y)


def test_kinds_of_target_are_not_mixed(page):
    pair = [("a", page.PoissonExpert()), ("b", "gaussian")]
    with pytest.raises(ValueError, match="probabilities and densities cannot be mixed"):
        MoERegressor(2, expert=pair).fit(page.x, page.visits)
    with pytest.raises(ValueError, match="describes a count target, this estimator needs a class"):
        MoEClassifier(2, expert=page.PoissonExpert()).fit(page.x, page.visits > 2)


# ------------------------------------------------------------------------- other rooms


@pytest.mark.parametrize("name", ["LogisticNoiseExpert", "PoissonExpert"])
def test_data_can_be_drawn_and_their_truth_is_found(page, name):
    expert = getattr(page, name)()
    X, y, truth = make_moe(
        1500, n_experts=2, expert=expert, random_state=1, separation=1.5, return_params=True
    )
    moe = MoERegressor(2, expert=expert, random_state=0).fit(X, y)
    # The truth has no more than a few nats on the fit.
    assert moe.log_likelihood_ > truth.log_density.sum() - 2.0
    assert moe.log_likelihood_ < truth.log_density.sum() + 20.0
    assert "expert" in truth.summary().index.get_level_values("part")[1]


@pytest.mark.parametrize("name", ["LogisticNoiseExpert", "PoissonExpert"])
def test_every_solver_climbs_to_the_same_height(page, name):
    expert = getattr(page, name)()
    X, y = make_moe(300, n_experts=2, expert=expert, random_state=1, separation=1.5)
    one = {"expert": expert, "n_init": 4, "random_state": 0, "tol": 1e-8, "max_iter": 2000}
    height = MoERegressor(2, **one).fit(X, y).log_likelihood_  # by EM
    for solver in ("newton", "lbfgs", "squarem"):
        found = MoERegressor(2, solver=solver, **one).fit(X, y).log_likelihood_
        assert found == pytest.approx(height, abs=1e-3), solver


@pytest.mark.parametrize("name", ["LogisticNoiseExpert", "PoissonExpert"])
def test_inference_gives_tables_by_every_kind(page, name):
    expert = getattr(page, name)()
    X, y = make_moe(400, n_experts=2, expert=expert, random_state=1, separation=2.0)
    moe = MoERegressor(2, expert=expert, random_state=0, tol=1e-9).fit(X, y)
    observed = moe.inference(X, y).experts
    for kind in ("opg", "sandwich"):
        table = moe.inference(X, y, kind=kind).experts
        np.testing.assert_allclose(table.estimate, observed.estimate)
        np.testing.assert_allclose(table.std_error, observed.std_error, rtol=0.5)
    drawn = moe.inference(X, y, kind="parametric_bootstrap", n_bootstrap=20, random_state=0)
    assert np.isfinite(drawn.experts.std_error).all()


def test_partial_fit_learns_batch_by_batch(page):
    for expert, gate in (
        (page.LogisticNoiseExpert(), "softmax"),
        (page.PoissonExpert(), "softmax"),
        ("gaussian", page.BinnedGate()),
    ):
        X, y = make_moe(600, n_experts=2, expert=expert, random_state=1)
        moe = MoERegressor(2, expert=expert, gate=gate, random_state=0)
        for part in np.array_split(np.arange(600), 4):
            moe.partial_fit(X[part], y[part])
        whole = MoERegressor(2, expert=expert, gate=gate, random_state=0).fit(X, y)
        assert moe.log_likelihood(X, y) > whole.log_likelihood_ - 5.0


def test_batches_with_a_target_that_is_no_count_are_refused(page):
    moe = MoERegressor(2, expert=page.PoissonExpert(), random_state=0)
    moe.partial_fit(page.x[:300], page.visits[:300])
    with pytest.raises(ValueError, match="describes a count target"):
        moe.partial_fit(page.x[300:350], -page.visits[300:350] - 1)


def test_what_was_left_out_is_refused_in_a_sentence(page):
    X, y = page.X, page.y
    sentence = "'binned' gates have none"
    with pytest.raises(ValueError, match=f"inference needs `derivatives`.*{sentence}"):
        page.binned.inference(X, y)
    with pytest.raises(ValueError, match=f"solver='lbfgs' needs `gradient`.*{sentence}"):
        MoERegressor(2, gate=page.BinnedGate(), solver="lbfgs").fit(X, y)
    with pytest.raises(ValueError, match=f"solver='newton' needs `derivatives`.*{sentence}"):
        MoERegressor(2, gate=page.BinnedGate(), solver="newton").fit(X, y)
    with pytest.raises(ValueError, match=f"solver='overrelaxed' needs `pack`.*{sentence}"):
        MoERegressor(2, gate=page.BinnedGate(), solver=page.OverrelaxedEM()).fit(X, y)
    with pytest.raises(ValueError, match=f"make_moe needs `draw`.*{sentence}"):
        make_moe(10, gate=page.BinnedGate())


def test_export_refuses_in_a_sentence_or_exports(page):
    pytest.importorskip("onnx", reason="needs the extra onnx")
    from moe_classic.onnx import to_onnx

    with pytest.raises(TypeError, match="'poisson' experts have no `graph`"):
        to_onnx(page.counts)
    with pytest.raises(TypeError, match="'binned' gates have no `graph`"):
        to_onnx(page.binned)
    assert to_onnx(page.crash).graph.node


def test_solver_of_ones_own_ends_where_em_ends(page):
    X, y = page.X, page.y
    em = MoERegressor(3, solver=EM(finish=None), random_state=0, tol=1e-7, max_iter=5000)
    own = clone(em).set_params(solver=page.OverrelaxedEM())
    assert own.fit(X, y).log_likelihood_ == pytest.approx(em.fit(X, y).log_likelihood_, abs=1e-2)
