"""Hash routers: balance of the table, and the same answer everywhere."""

import subprocess
import sys

import numpy as np
import pytest

from moe_classic.routers import HashRouter, Rows
from moe_classic.routers._hash import balanced_table


def test_no_expert_has_more_than_the_mean_and_the_heaviest_key(rng):
    mass = rng.pareto(1.5, 200) + 0.1
    experts = balanced_table(mass, 7)
    load = np.bincount(experts, weights=mass, minlength=7)
    assert load.max() <= mass.sum() / 7 + mass.max()
    # Graham's bound for this rule.
    assert load.max() <= (4 / 3) * max(mass.sum() / 7, mass.max()) + 1e-9


def test_categories_have_one_expert_each_and_new_ones_too(rng):
    router = HashRouter(features=[0])
    codes = rng.integers(0, 12, size=(300, 1)).astype(float)
    state = router.prepare(router.state(4), codes, np.ones(300), 4)
    rows = Rows(np.zeros((300, 1)), np.ones(300), inputs=codes)
    expert = router.plan({}, state, rows).combine().argmax(axis=1)
    assert all(len(set(expert[codes[:, 0] == c])) == 1 for c in range(12))
    new = Rows(np.zeros((2, 1)), np.ones(2), inputs=np.array([[99.0], [99.0]]))
    assert len(set(router.plan({}, state, new).combine().argmax(axis=1))) == 1


def test_a_table_by_hand():
    router = HashRouter(features=[0])
    ids, table = np.arange(6.0)[:, None], np.array([2, 0, 1, 1, 2, 0])
    state = router.table(ids, table, 3)
    asked = np.array([[5.0], [0.0], [3.0], [3.0]])
    plan = router.plan({}, state, Rows(np.zeros((4, 1)), np.ones(4), inputs=asked))
    np.testing.assert_array_equal(plan.combine().argmax(axis=1), [0, 2, 1, 1])


def test_table_is_the_same_in_every_process():
    code = (
        "import numpy as np; from moe_classic.routers import HashRouter, Rows\n"
        "x = np.random.default_rng(1).normal(size=(50, 3)); r = HashRouter()\n"
        "s = r.prepare(r.state(5), x, np.ones(50), 5)\n"
        "print(r.plan({}, s, Rows(x + 9, np.ones(50), x + 9)).load.tolist())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert sum(eval(outputs.pop())) == 50


def test_bits_must_be_counted():
    with pytest.raises(ValueError, match="n_bits=0"):
        HashRouter(n_bits=0).check(4)
