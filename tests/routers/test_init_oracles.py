"""Routers against what published implementations gave on seeded inputs (oracles/README.md)."""

from pathlib import Path

import numpy as np
import pytest

from moe_classic.routers import SoftRouter, TopKRouter

from .by_hand import losses_alone, run

FOLDER = Path(__file__).parent / "oracles"


def load(name):
    with np.load(FOLDER / f"{name}.npz") as file:
        return dict(file)


def check_gradients(g, o, names):
    for ours, theirs in names.items():
        np.testing.assert_allclose(g[ours], o[f"grad_{theirs}"], atol=1e-12, err_msg=theirs)


ALL = {"x": "x", "W": "Wr", "b": "br", "W1": "W1", "b1": "b1", "W2": "W2", "b2": "b2"}


def test_switch_with_room_for_five():
    o = load("switch_cap5")
    params = {"W": o["Wr"], "b": o["br"]}
    plain = TopKRouter(1, normalise=False, balance=0.0, capacity=int(o["capacity"]))
    plan, y, g = run(plain, o, params)
    combine = plan.combine()
    kept = o["kept"]
    np.testing.assert_array_equal(combine.any(axis=1), kept)
    np.testing.assert_array_equal(combine.argmax(axis=1)[kept], o["expert"][kept])
    np.testing.assert_allclose(combine.sum(axis=1)[kept], o["weight"][kept], atol=1e-12)
    np.testing.assert_allclose(y, o["y"], atol=1e-12)
    assert plan.dropped == pytest.approx(1 - kept.mean(), abs=1e-15)
    check_gradients(g, o, ALL)


@pytest.mark.parametrize(("loss", "theirs"), [("balance", "aux"), ("z", "z")])
def test_losses_of_switch(loss, theirs):
    o = load("switch_cap5")
    params = {"W": o["Wr"], "b": o["br"]}
    settings = {"balance": 0.0, "z": 0.0} | {loss: 1.0}
    router = TopKRouter(1, normalise=False, balance_on="first", capacity=5, **settings)
    plan, _ = losses_alone(router, params, o["x"])
    assert plan.losses[loss] == pytest.approx(o[theirs], abs=1e-12)
    g = losses_alone(router.set_params(capacity=None), params, o["x"])[1]
    np.testing.assert_allclose(g["W"], o[f"{theirs}_grad_Wr"], atol=1e-12)
    np.testing.assert_allclose(g["b"], o[f"{theirs}_grad_br"], atol=1e-12)


def test_mixtral():
    o = load("mixtral")
    params = {"W": o["Wr"], "b": o["br"]}
    plan, y, g = run(TopKRouter(2, balance=0.0), o, params)
    expected = np.zeros((24, 8))
    np.put_along_axis(expected, o["experts"], o["weights"], axis=1)
    np.testing.assert_allclose(plan.combine(), expected, atol=1e-12)
    np.testing.assert_allclose(y, o["y"], atol=1e-12)
    check_gradients(g, o, ALL)
    plan, g = losses_alone(TopKRouter(2, balance=2.0), params, o["x"])
    # Theirs adds both choices up without dividing by two.
    assert plan.losses["balance"] == pytest.approx(o["aux"], abs=1e-12)
    np.testing.assert_allclose(g["W"], o["aux_grad_Wr"], atol=1e-12)
    np.testing.assert_allclose(g["b"], o["aux_grad_br"], atol=1e-12)
    plan, _ = losses_alone(TopKRouter(2, balance=0.0, z=1.0), params, o["x"])
    assert plan.losses["z"] == pytest.approx(o["z"], abs=1e-12)


def test_deepseek_v3():
    o = load("deepseek_v3")
    for name in ("W1", "b1", "W2", "b2"):
        o[f"all_{name}"] = np.concatenate([o[name], o[f"shared_{name}"][None]])
    router = TopKRouter(
        3,
        score="sigmoid",
        scale=float(o["scale"]),
        balance=0.0,
        n_groups=int(o["n_groups"]),
        top_groups=int(o["top_groups"]),
        bias_rate=0.001,
        n_shared=1,
    )
    router.check(8)
    experts = ("all_W1", "all_b1", "all_W2", "all_b2")
    params, state = {"W": o["Wr"], "b": o["br"]}, {"bias": o["bias"]}
    plan, y, g = run(router, o, params, state, experts)
    for source in ("", "official_"):
        expected = np.zeros((32, 9))
        np.put_along_axis(expected, o[f"{source}experts"], o[f"{source}weights"], axis=1)
        expected[:, 8] = 1.0
        np.testing.assert_allclose(plan.combine(), expected, atol=1e-12)
    np.testing.assert_allclose(y, o["y"], atol=1e-12)
    for name in ("W1", "b1", "W2", "b2"):
        g[name] = g[name][:8]
    check_gradients(g, o, ALL)


def test_soft():
    o = load("vmoe_soft")
    params = {"phi": o["mu"].reshape(6, 12), "scale": o["scale"]}
    plan, y, g = run(SoftRouter(3), o, params)
    np.testing.assert_allclose(plan.D[0], o["dispatch"].reshape(32, 12), atol=1e-12)
    np.testing.assert_allclose(plan.C[0], o["combine"].reshape(32, 12), atol=1e-12)
    np.testing.assert_allclose(plan.take(o["x"]), o["slots"].reshape(12, 6), atol=1e-12)
    np.testing.assert_allclose(y, o["y"], atol=1e-12)
    np.testing.assert_allclose(g["phi"].reshape(6, 4, 3), o["grad_mu"], atol=1e-12)
    check_gradients(g, o, {"x": "x", "scale": "scale", "W1": "W1", "W2": "W2", "b1": "b1"})
