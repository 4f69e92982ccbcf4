"""Rows in Dask's partitions give the fit of all rows at once, wherever they are computed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression

from moe_classic import (
    HierarchicalMoERegressor,
    MoEClassifier,
    MoERegressor,
)
from moe_classic._data import is_dask, stream_of
from moe_classic.estimators._mixture import base
from moe_classic.solvers import EM, SGD

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

N = 2400  # more than starts are tried on here


@pytest.fixture(scope="module", autouse=True)
def _few_rows_for_starts():
    """Samples of 2,000 rows instead of ten times as many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "MOST_ROWS", 2000)
        yield


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(N, 2))
    y = np.where(X[:, 0] > 0.0, X[:, 1], 1.0 - X[:, 1]) + 0.1 * rng.normal(size=N)
    return X, y, rng.integers(0, 3, size=N).astype(float)


def cut(a, sizes):
    return da.from_array(a, chunks=(sizes, *((w,) for w in a.shape[1:])))


def even(count):
    return tuple(map(len, np.array_split(np.arange(N), count)))


def answers(moe, X):
    params = [v for v in moe.experts_[0].__dict__.values() if isinstance(v, (float, np.ndarray))]
    return moe.log_likelihood_, moe.gate_proba(X), moe.predict(X), *params


def assert_alike(a, b, X, rtol=1e-10):
    for one, other in zip(answers(a, X), answers(b, X), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-10)


OPTIONS = {"n_init": 2, "random_state": 0}


@pytest.fixture(scope="module")
def in_blocks(data):
    X, y, _ = data
    blocks = [(X[i : i + 500], y[i : i + 500]) for i in range(0, N, 500)]
    return MoERegressor(2, **OPTIONS).fit_blocks(blocks)


@pytest.mark.parametrize(
    "sizes", [even(1), even(2), even(7), even(64), (1, 1700, 10, N - 1711)], ids=len
)
def test_every_partitioning_gives_the_same_fit(data, in_blocks, sizes):
    X, y, _ = data
    moe = MoERegressor(2, **OPTIONS).fit(cut(X, sizes), cut(y, sizes))
    assert_alike(moe, in_blocks, X[:200])


def test_weights_and_frames_with_names(data):
    X, y, w = data
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(y=y, w=w)
    parts = dd.from_pandas(frame, npartitions=3)
    moe = MoERegressor(2, **OPTIONS).fit(parts[["a", "b"]], parts["y"], parts["w"])
    whole = MoERegressor(2, **OPTIONS).fit(frame[["a", "b"]], y, w)
    assert list(moe.feature_names_in_) == ["a", "b"]
    assert moe.log_likelihood_ == pytest.approx(whole.log_likelihood_, rel=1e-8)


def test_unknown_divisions_and_empty_partitions(data, in_blocks):
    X, y, _ = data
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(y=y)
    pieces = [frame[:0], frame[:900], frame[:0], frame[900:]]
    parts = dd.from_delayed([dask.delayed(p) for p in pieces], meta=frame[:0])
    assert not parts.known_divisions
    moe = MoERegressor(2, **OPTIONS).fit(parts[["a", "b"]], parts["y"])
    assert moe.log_likelihood_ == pytest.approx(in_blocks.log_likelihood_, rel=1e-12)


def test_classes_are_those_of_all_partitions(data):
    X, y, _ = data
    labels = np.where(y > 1.0, "high", np.where(y > 0.0, "mid", "low"))
    order = np.argsort(labels, kind="stable")
    X, labels = X[order], labels[order]
    moe = MoEClassifier(2, **OPTIONS).fit(cut(X, even(5)), cut(labels, even(5)))
    blocks = [(X[i : i + 700], labels[i : i + 700]) for i in range(0, N, 700)]
    assert moe.classes_.tolist() == ["high", "low", "mid"]
    assert_alike_classes(moe, MoEClassifier(2, **OPTIONS).fit_blocks(blocks), X[::5])


def assert_alike_classes(a, b, X):
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), atol=1e-10)
    assert a.log_likelihood_ == pytest.approx(b.log_likelihood_, rel=1e-10)


ADDITIVE = {
    "student": MoERegressor(2, expert="student_t", **OPTIONS),
    "gaussian gate": MoERegressor(2, gate="gaussian", **OPTIONS),
    "lbfgs": MoERegressor(2, solver="lbfgs", **OPTIONS),
    "newton": MoERegressor(2, solver="newton", **OPTIONS),
    "tree": HierarchicalMoERegressor(branching=(2,), **OPTIONS),
}


@pytest.mark.parametrize("name", ADDITIVE)
def test_additive_estimators_in_partitions(data, name):
    X, y, _ = data
    blocks = [(X[i : i + 800], y[i : i + 800]) for i in range(0, N, 800)]
    here = clone(ADDITIVE[name]).fit_blocks(blocks)
    there = clone(ADDITIVE[name]).fit(cut(X, even(4)), cut(y, even(4)))
    assert there.log_likelihood_ == pytest.approx(here.log_likelihood_, rel=1e-10)
    np.testing.assert_allclose(there.predict(X[:200]), here.predict(X[:200]), atol=1e-7)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "solver",
    [
        EM(annealing=0.5),
        EM(assignment="hard"),
        EM(assignment="stochastic"),
        "squarem",
        "adam",
        SGD(learning_rate=0.01),
    ],
    ids=repr,
)
def test_every_solver_climbs_in_partitions_as_in_blocks(data, solver):
    X, y, _ = data
    blocks = [(X[i : i + 800], y[i : i + 800]) for i in range(0, N, 800)]
    here = MoERegressor(2, solver=solver, max_iter=5, **OPTIONS).fit_blocks(blocks)
    moe = MoERegressor(2, solver=solver, max_iter=5, **OPTIONS)
    there = moe.fit(cut(X, even(3)), cut(y, even(3)))
    assert there.log_likelihood_ == pytest.approx(here.log_likelihood_, rel=1e-10)


def test_partitions_of_another_type_are_named(data):
    X, y, _ = data
    words = np.full((800, 2), "high", dtype=object)
    blocks = [dask.delayed((X[:900], y[:900])), dask.delayed((words, y[:800]))]
    with pytest.raises(ValueError, match=r"partition 1: .*high"):
        MoERegressor(2).fit_blocks(blocks)
    single = [dask.delayed((X[:900], y[:900])), dask.delayed((X[900:].astype(np.float32), y[900:]))]
    assert MoERegressor(2, **OPTIONS).fit_blocks(single).n_features_in_ == 2


def test_wild_values_are_moved_in_wherever_they_are(data):
    X, y, _ = (a.copy() for a in data)
    X[7, 0], y[1900] = 1e7, -1e6
    blocks = [(X[i : i + 800], y[i : i + 800]) for i in range(0, N, 800)]
    options = {"expert": "student_t", **OPTIONS}
    here = MoERegressor(2, **options).fit_blocks(blocks)
    there = MoERegressor(2, **options).fit(cut(X, even(6)), cut(y, even(6)))
    assert there.log_likelihood_ == pytest.approx(here.log_likelihood_, rel=1e-10)


# ------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (da.ones((8, 2), chunks=(4, 1)), da.ones(8, chunks=4), r"columns in 2 chunks"),
        (da.ones((8, 2), chunks=(4, 2)), da.ones(8, chunks=2), r"X has 2 .*y has 4"),
        (da.ones((8, 2), chunks=(4, 2)), da.ones(8, chunks=(3, 5)), r"rows 4, 4.*rows 3, 5"),
        (da.ones((8, 2), chunks=(4, 2)), np.ones(8), "y is a ndarray"),
    ],
)
def test_unlike_partitions_are_refused(X, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        MoERegressor(2).fit(X, y)


def test_other_divisions_are_refused():
    frame = pd.DataFrame({"a": np.arange(12.0), "y": np.arange(12.0)})
    X = dd.from_pandas(frame[["a"]], npartitions=2)
    y = dd.from_pandas(frame["y"].set_axis(range(20, 32)), npartitions=2)
    with pytest.raises(ValueError, match="divisions 0, 6, 11, y has 2 partitions with divisions"):
        MoERegressor(2).fit(X, y)


def test_partitions_of_another_width_are_refused(data):
    X, y, _ = data
    blocks = [dask.delayed((X[:900], y[:900])), dask.delayed((X[900:, :1], y[900:]))]
    with pytest.raises(ValueError, match="partition 1: X has 1 features"):
        MoERegressor(2).fit_blocks(blocks)


def test_components_that_do_not_add_are_refused_before_any_pass(data):
    X, y, _ = data
    reads = []
    blocks = [dask.delayed(lambda: reads.append(1) or (X, y))()]
    with pytest.raises(ValueError, match="all rows at once"):
        MoERegressor(2, expert=LinearRegression()).fit_blocks(blocks)
    assert reads == []


# ------------------------------------------------------------------------- groups


@pytest.fixture(scope="module")
def subjects(data):
    """Four rows of each subject, and a weight a subject."""
    X, y, w = data
    return X, y, np.repeat(w[: N // 4] + 1.0, 4), np.repeat(np.arange(N // 4), 4)


#: Cuts between subjects.
WHOLE = [(2400,), (400, 1200, 800), (4, 0, 2396)]


@pytest.mark.parametrize("sizes", WHOLE)
def test_groups_in_partitions_are_those_in_memory(subjects, sizes):
    X, y, w, groups = subjects
    here = MoERegressor(2, **OPTIONS).fit_blocks([(X, y, w, groups)])
    parts = [cut(a, sizes) for a in subjects]
    there = MoERegressor(2, **OPTIONS).fit(*parts[:3], groups=parts[3])
    assert_alike(there, here, X)
    for name in ("log_likelihood", "aic", "bic", "icl"):
        expected = getattr(here, name)(X, y, w, groups=groups)
        found = getattr(there, name)(*parts[:3], groups=parts[3])
        assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("kind", ["observed", "opg", "sandwich"])
def test_inference_with_groups_in_partitions(subjects, kind):
    X, y, w, groups = subjects
    moe = MoERegressor(2, **OPTIONS).fit(X, y, w, groups=groups)
    here = moe.inference(X, y, sample_weight=w, kind=kind, groups=groups)
    parts = [cut(a, WHOLE[1]) for a in subjects]
    there = moe.inference(*parts[:2], sample_weight=parts[2], kind=kind, groups=parts[3])
    pd.testing.assert_frame_equal(there.table, here.table, rtol=1e-6, atol=1e-9)
    assert str(there.summary()) == str(here.summary())


def test_a_group_in_two_partitions_is_refused(subjects):
    X, y, w, groups = subjects
    moe = MoERegressor(2, **OPTIONS).fit(X, y, w, groups=groups)
    parts = [cut(a, (402, 1998)) for a in subjects]
    for ask in (MoERegressor(2, **OPTIONS).fit, moe.bic, moe.inference):
        with pytest.raises(ValueError, match=r"rows of group 100.* whole, in one"):
            ask(*parts[:2], sample_weight=parts[2], groups=parts[3])


def test_groups_of_another_kind_than_rows_are_refused(subjects):
    X, y, _, groups = subjects
    parts = [cut(a, WHOLE[1]) for a in subjects]
    with pytest.raises(TypeError, match="groups is a ndarray, and other arguments are Dask"):
        MoERegressor(2).fit(*parts[:2], groups=groups)
    moe = MoERegressor(2, **OPTIONS).fit(X, y, groups=groups)
    with pytest.raises(ValueError, match="clusters beside groups"):
        moe.inference(*parts[:2], kind="sandwich", groups=parts[3], clusters=parts[3])


def test_no_rows_are_told(data):
    X, y, _ = data
    with pytest.raises(ValueError, match="partitions hold no rows"):
        MoERegressor(2).fit_blocks([dask.delayed((X[:0], y[:0]))])
    with pytest.raises(TypeError, match="all be delayed"):
        MoERegressor(2).fit_blocks([dask.delayed((X, y)), (X, y)])


def test_a_refused_fit_leaves_the_estimator_as_it_was(data):
    X, y, _ = (a[:600].copy() for a in data)
    moe = MoERegressor(2, **OPTIONS).fit(X, y)
    before = moe.predict(X)
    y[500] = np.inf
    with pytest.raises(ValueError, match=r"partition 1: .*(.|\n)*row 200 of y"):
        moe.fit(da.from_array(X, chunks=(300, 2)), da.from_array(y, chunks=300))
    np.testing.assert_array_equal(moe.predict(X), before)


def test_passes_that_differ_are_noticed(data):
    X, y, _ = data
    draws = iter(range(100))
    parts = [dask.delayed(lambda: (X[:50] + next(draws), y[:50]), pure=False)()]
    stream = stream_of(parts, lambda X, y, w, g: (X, y[None], np.ones(len(y)), None))
    assert is_dask(*parts)
    with dask.config.set(scheduler="synchronous"):
        assert stream.reduce(lambda block: block[2].size, int.__add__) == 50
        with pytest.raises(ValueError, match="other rows than in an earlier pass"):
            stream.reduce(lambda block: block[2].size, int.__add__)


# ------------------------------------------------------------------------- answers


@pytest.mark.parametrize("name", ["predict", "gate_proba", "predict_expert"])
def test_answers_about_arrays_are_lazy(data, in_blocks, name):
    X = data[0]
    answer = getattr(in_blocks, name)(cut(X, even(7)))
    here = getattr(in_blocks, name)(X)
    assert answer.shape == here.shape
    assert answer.dtype == here.dtype
    np.testing.assert_allclose(answer.compute(), here, rtol=1e-12)


@pytest.mark.parametrize("name", ["score_samples", "responsibilities", "expert_log_density"])
def test_answers_about_pairs_are_lazy(data, in_blocks, name):
    X, y, _ = data
    answer = getattr(in_blocks, name)(cut(X, even(7)), cut(y, even(7)))
    here = getattr(in_blocks, name)(X, y)
    assert answer.shape == here.shape
    np.testing.assert_allclose(answer.compute(), here, rtol=1e-12)
    with pytest.raises(ValueError, match="partitioned differently"):
        getattr(in_blocks, name)(cut(X, even(7)), cut(y, even(6)))


# Dask's writer of Parquet does what pandas 3.1 warns about.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_answers_about_frames_keep_the_index_and_go_to_parquet(data, tmp_path):
    X, y, _ = data
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(y=y)[:1500]
    frame.to_parquet(tmp_path / "rows.parquet")
    rows = dd.read_parquet(tmp_path / "rows.parquet")
    moe = MoERegressor(2, **OPTIONS).fit(rows[["a", "b"]], rows["y"])
    answers = {
        "mean": moe.predict(rows[["a", "b"]]),
        "score": moe.score_samples(rows[["a", "b"]], rows["y"]),
    }
    rows.assign(**answers).to_parquet(tmp_path / "out")
    back = pd.read_parquet(tmp_path / "out")
    np.testing.assert_allclose(back["mean"], moe.predict(frame[["a", "b"]]), rtol=1e-12)
    gate = moe.gate_proba(rows[["a", "b"]]).compute()
    assert gate.columns.tolist() == ["gate_proba0", "gate_proba1"]
    total = moe.log_likelihood(rows[["a", "b"]], rows["y"])
    assert total == pytest.approx(back["score"].sum(), rel=1e-12)
    X, y = rows[["a", "b"]], rows["y"]
    for name in ("aic", "bic", "icl"):
        assert getattr(moe, name)(X, y) == pytest.approx(
            getattr(moe, name)(frame[["a", "b"]], frame["y"]), rel=1e-10
        )


def test_files_of_which_dask_would_join_some(data, in_blocks, tmp_path):
    X, y, _ = data
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(**dict.fromkeys("cdefgh", 0.0), y=y)
    for i in range(8):
        frame[300 * i : 300 * (i + 1)].to_parquet(tmp_path / f"{i}.parquet")
    rows = dd.read_parquet(tmp_path)
    assert rows["y"].optimize().npartitions < rows.npartitions
    moe = MoERegressor(2, **OPTIONS).fit(rows[["a", "b"]], rows["y"])
    assert moe.log_likelihood_ == pytest.approx(in_blocks.log_likelihood_, rel=1e-12)
    scores = moe.score_samples(rows[["a", "b"]], rows["y"]).compute()
    np.testing.assert_allclose(scores, moe.score_samples(frame[["a", "b"]], y), rtol=1e-12)


def test_two_outputs(data):
    X, y, _ = data
    Y = np.column_stack([y, X[:, 0] + 0.1 * X[:, 1] * y**2 + 0.2 * np.sin(9 * X[:, 1])])
    parts = cut(X, even(3)), cut(Y, even(3))
    moe = MoERegressor(2, **OPTIONS).fit(*parts)
    assert moe.predict(parts[0]).compute().shape == (N, 2)
    scores = moe.score_samples(*parts).compute()
    np.testing.assert_allclose(scores, moe.score_samples(X, Y), rtol=1e-12)


def test_levels_of_a_column_in_partitions(data):
    X, y, _ = (a[:1200] for a in data)
    frame = pd.DataFrame({"a": X[:, 0], "side": np.where(X[:, 1] > 0.0, "left", "right")})
    rows = dd.from_pandas(frame.assign(y=y), npartitions=3)
    columns = ["a", "side"]
    moe = MoERegressor(2, **OPTIONS).fit(rows[columns], rows["y"])
    whole = MoERegressor(2, **OPTIONS).fit(frame, y)
    assert moe.log_likelihood_ == pytest.approx(whole.log_likelihood_, rel=1e-8)
    mean = moe.predict(rows[columns]).compute()
    np.testing.assert_allclose(mean, moe.predict(frame), rtol=1e-12)


def test_classes_are_answered_lazily(data):
    X, y, _ = (a[:2000] for a in data)
    labels = np.where(y > 0.5, "high", "low")
    moe = MoEClassifier(2, **OPTIONS).fit(X, labels)
    rows = cut(X, (1500, 500))
    assert (moe.predict(rows).compute() == moe.predict(X)).all()
    np.testing.assert_allclose(moe.predict_proba(rows).compute(), moe.predict_proba(X))


def test_answers_that_partitions_cannot_give_are_refused(data, in_blocks):
    X, y, _ = data
    rows = cut(X, even(2))
    with pytest.raises(ValueError, match="return_std has no meaning with Dask"):
        in_blocks.predict(rows, return_std=True)
    with pytest.raises(ValueError, match="groups has no meaning with Dask"):
        in_blocks.gate_proba(rows, groups=np.arange(N))
    with pytest.raises(ValueError, match="weight_kind='precision' needs all weights"):
        in_blocks.bic(rows, cut(y, even(2)), weight_kind="precision")


@pytest.mark.parametrize("name", ["aic", "bic", "icl"])
def test_criteria_are_sums_over_partitions(data, in_blocks, name):
    X, y, w = data
    there = getattr(in_blocks, name)(*(cut(a, even(7)) for a in (X, y, w)))
    assert there == pytest.approx(getattr(in_blocks, name)(X, y, w), rel=1e-10)
