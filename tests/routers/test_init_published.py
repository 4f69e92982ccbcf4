"""Every rule of the oracles' README on arrays of our own, against its formula written out in loops.

References are plain NumPy of one row at a time and bear complex numbers: gradients are imaginary
parts after steps of 1e-30, exact to rounding. One test a line of the table.
"""

from itertools import product

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.special import ndtr

from moe_classic.routers import (
    BalancedRouter,
    ExpertChoiceRouter,
    HashRouter,
    NoisyTopKRouter,
    Rows,
    SharedOrExpertsRouter,
    SoftRouter,
    TopKRouter,
)
from moe_classic.routers._soft import slots_of

from .by_hand import Given, losses_alone, run

N, D, H = 26, 5, 4
EXPERTS = ("W1", "b1", "W2", "b2")
NAMES = {"x": "x", "W": "Wr", "b": "br"} | {name: name for name in EXPERTS}
TIGHT = {"rtol": 1e-12, "atol": 1e-12}


# ------------------------------------------------------------------------- references


def arrays(rng, E, extra=0):
    """Rows, a router, experts of which the last ``extra`` are shared, an upstream gradient."""
    total = E + extra
    shapes = {"x": (N, D), "Wr": (D, E), "br": (E,), "G": (N, D)}
    shapes |= {"W1": (total, D, H), "b1": (total, H), "W2": (total, H, D), "b2": (total, D)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def softmax(s, axis=-1):
    e = np.exp(s - s.real.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def logits(o):
    return o["x"] @ o["Wr"] + o["br"]


def best(s, k):
    """Places of the k largest of one row."""
    return np.argsort(-s.real, kind="stable")[:k]


def output(o, combine):
    """Sum of what each expert says, weighted."""
    y = np.zeros((N, D), dtype=complex)
    for i, e in zip(*np.nonzero(combine), strict=True):
        hidden = o["x"][i] @ o["W1"][e] + o["b1"][e]
        y[i] += combine[i, e] * (np.where(hidden.real > 0, hidden, 0) @ o["W2"][e] + o["b2"][e])
    return y


def top_k(o, k, normalise, scale=1.0, score=softmax, select=lambda q: q, shared=0):
    """Combine weights of the k best of each row."""
    q = score(logits(o))
    combine = np.zeros((N, q.shape[1] + shared), dtype=q.dtype)
    for i in range(N):
        chosen = best(select(q[i]), k)
        w = q[i, chosen]
        combine[i, chosen] = scale * (w / w.sum() if normalise else w)
    combine[:, q.shape[1] :] = 1.0
    return combine


def queued(chosen, wanted, room, order):
    """Which pairs find room: all first choices queue before second ones."""
    taken, kept = {}, np.zeros(chosen.shape, dtype=bool)
    for j, i in product(range(chosen.shape[1]), order):
        e = chosen[i, j]
        if wanted[i, j] and taken.get(e, 0) < room:
            taken[e] = taken.get(e, 0) + 1
            kept[i, j] = True
    return kept


def limited(o, k, room, *, normalise=None, bpr=False, wanted=None):
    """Combine weights with capacity, normalised "before" or "after" dropping or not at all."""
    q = softmax(logits(o))
    chosen = np.array([best(row, k) for row in q])
    p = np.take_along_axis(q, chosen, axis=1)
    order = np.argsort(-p[:, 0].real, kind="stable") if bpr else np.arange(N)
    wanted = np.ones((N, k), dtype=bool) if wanted is None else wanted
    kept = queued(chosen, wanted, room, order)
    if normalise == "before":
        p = p / p.sum(axis=1, keepdims=True)
    p = np.where(kept, p, 0)
    if normalise == "after":
        total = p.sum(axis=1, keepdims=True)
        p = p / np.where(total == 0, 1, total)
    combine = np.zeros_like(q)
    np.put_along_axis(combine, chosen, p, axis=1)
    return combine, kept, chosen


def balance(o, k, score=softmax):
    """``E sum_e f_e P_e`` with f the shares of the first k choices, divided by k."""
    q = score(logits(o))
    f = np.zeros(q.shape[1])
    for row in q:
        f[best(row, k)] += 1.0 / (k * N)
    return q.shape[1] * (f * q.mean(axis=0)).sum()


def z(o):
    s = logits(o)
    top = s.real.max(axis=1)
    return np.square(top + np.log(np.exp(s - top[:, None]).sum(axis=1))).mean()


def cv2(v):
    return ((v - v.mean()) ** 2).mean() / v.mean() ** 2


# ------------------------------------------------------------------------- comparisons


def slopes(f, o, name, rng, count=6):
    """Some entries of an array, and the derivatives of ``f`` in them."""
    places = rng.choice(o[name].size, min(count, o[name].size), replace=False)
    found = []
    for place in places:
        moved = o[name].astype(complex)
        moved.reshape(-1)[place] += 1e-30j
        found.append(f({**o, name: moved}).imag / 1e-30)
    return places, found


def check(router, o, combine_of, *, state=None, given=None, params=None, names=NAMES):
    """Weights, outputs and gradients of ``sum(y * G)`` are those of the reference."""
    params = {"W": o["Wr"], "b": o["br"]} if params is None else params
    options = {} if given is None else {"rng": given}
    router.check(o["Wr"].shape[1])
    plan, y, g = run(router, o, params, state, **options)
    combine = combine_of(o)
    np.testing.assert_allclose(plan.combine(), combine, **TIGHT)
    np.testing.assert_allclose(y, output(o, combine).real, **TIGHT)
    rng = np.random.default_rng(1)
    for ours, theirs in names.items():
        places, expected = slopes(
            lambda o: (output(o, combine_of(o)) * o["G"]).sum(), o, theirs, rng
        )
        np.testing.assert_allclose(
            g[ours].reshape(-1)[places], expected, rtol=1e-11, atol=1e-11, err_msg=theirs
        )
    return plan


def check_loss(router, name, o, value_of, *, given=None, params=None, names=None):
    """A loss with coefficient 1 and its gradients in the router's maps."""
    params = {"W": o["Wr"], "b": o["br"]} if params is None else params
    options = {} if given is None else {"rng": given}
    plan, g = losses_alone(router, params, o["x"], **options)
    assert plan.losses[name] == pytest.approx(value_of(o).real, rel=1e-12, abs=1e-13)
    rng = np.random.default_rng(1)
    for ours, theirs in (names or {"W": "Wr", "b": "br"}).items():
        places, expected = slopes(value_of, o, theirs, rng)
        np.testing.assert_allclose(g[ours].reshape(-1)[places], expected, rtol=1e-11, atol=1e-12)


# ------------------------------------------------------------------------- k best


@pytest.mark.parametrize("capacity", [3, N])
def test_switch(rng, capacity):
    o = arrays(rng, 6)
    router = TopKRouter(1, normalise=False, balance=0.0, capacity=capacity)
    plan = check(router, o, lambda o: limited(o, 1, capacity)[0])
    kept = limited(o, 1, capacity)[1]
    assert plan.dropped == pytest.approx(1 - kept.mean())
    assert kept.all() == (capacity == N)
    check_loss(router.set_params(balance=1.0), "balance", o, lambda o: balance(o, 1))
    check_loss(router.set_params(balance=0.0, z=1.0), "z", o, z)


@pytest.mark.parametrize(
    ("k", "E", "normalise"),
    [(2, 8, True), (3, 8, False), (3, 8, True), (4, 16, True)],
    ids=["mixtral", "olmoe", "olmoe_normalised", "dbrx"],
)
def test_k_best_without_capacity(rng, k, E, normalise):
    o = arrays(rng, E)
    router = TopKRouter(k, normalise=normalise, balance=0.0)
    check(router, o, lambda o: top_k(o, k, normalise))
    # Theirs adds all choices up without dividing by their number.
    check_loss(router.set_params(balance=float(k)), "balance", o, lambda o: k * balance(o, k))
    check_loss(router.set_params(balance=0.0, z=1.0), "z", o, z)


def by_group(G, top, count):
    """Scores of one row with all but the best groups out of the question."""

    def select(q):
        groups = q.real.reshape(G, -1)
        value = np.sort(groups, axis=1)[:, -count:].sum(axis=1)
        left = np.full(groups.shape, -np.inf)
        chosen = best(value, top)
        left[chosen] = groups[chosen]
        return left.reshape(-1)

    return select


@pytest.mark.parametrize("groups", [False, True])
def test_deepseek_v2(rng, groups):
    o = arrays(rng, 8, extra=1)
    options = {"n_groups": 4, "top_groups": 2} if groups else {}
    select = by_group(4, 2, 1) if groups else lambda q: q
    router = TopKRouter(3, normalise=False, scale=1.7, balance=0.0, n_shared=1, **options)
    check(router, o, lambda o: top_k(o, 3, normalise=False, scale=1.7, select=select, shared=1))


def sigmoid(s):
    return 1.0 / (1.0 + np.exp(-s))


def test_deepseek_v3(rng):
    o = arrays(rng, 8, extra=1)
    bias = rng.normal(size=8) - 1.5
    options = {"n_groups": 4, "top_groups": 2, "bias_rate": 0.001, "n_shared": 1}
    router = TopKRouter(3, score="sigmoid", scale=2.5, balance=0.0, **options)

    def combine(o):
        def select(q):
            return by_group(4, 2, 2)(q.real + bias)

        return top_k(o, 3, normalise=True, scale=2.5, score=sigmoid, select=select, shared=1)

    check(router, o, combine, state={"bias": bias})


def test_official_softmax_with_groups(rng):
    o = arrays(rng, 12)
    router = TopKRouter(3, normalise=False, scale=2.0, balance=0.0, n_groups=4, top_groups=2)
    check(router, o, lambda o: top_k(o, 3, normalise=False, scale=2.0, select=by_group(4, 2, 1)))


# ------------------------------------------------------------------------- capacities


@pytest.mark.parametrize("bpr", [False, True])
@pytest.mark.parametrize("norm", ["before", "after"])
@pytest.mark.parametrize("second", ["all", "random"])
def test_gshard(rng, second, norm, bpr):
    o, uniform = arrays(rng, 8), rng.uniform(size=N)
    room = 2 * int(np.ceil(N / 8)) - 3
    wanted = np.ones((N, 2), dtype=bool)
    if second == "random":
        q = softmax(logits(o))
        p = np.array([row[best(row, 2)] for row in q])
        g2 = p[:, 1] / p.sum(axis=1) if norm == "before" else p[:, 1]
        wanted[:, 1] = uniform < 2 * g2
    router = TopKRouter(
        2,
        normalise=True if norm == "before" else "kept",
        balance=0.0,
        balance_on="first",
        capacity=room,
        priority="score" if bpr else "order",
        second="always" if second == "all" else "random",
    )
    options = {"normalise": norm, "bpr": bpr, "wanted": wanted}
    plan = check(
        router, o, lambda o: limited(o, 2, room, **options)[0], given=Given(uniform=uniform)
    )
    kept = limited(o, 2, room, **options)[1]
    np.testing.assert_array_equal(plan.memo["kept"], kept)
    assert plan.dropped == pytest.approx(1 - kept.sum() / wanted.sum())
    assert 0 < kept.sum() < wanted.sum()
    router.set_params(balance=1.0, capacity=None)
    check_loss(router, "balance", o, lambda o: balance(o, 1), given=Given(uniform=uniform))


@pytest.mark.parametrize("second", ["all", "random", "none"])
def test_mesh(rng, second):
    o, uniform = arrays(rng, 8), rng.uniform(size=N)
    room = max(4, int(N * 1.25 / 8))
    wanted = np.ones((N, 2), dtype=bool)
    p = np.array([row[best(row, 2)] for row in softmax(logits(o))])
    drawn = uniform < p[:, 1] / p.sum(axis=1) / 0.2
    wanted[:, 1] = {"all": True, "random": drawn, "none": False}[second]
    kind = {"all": "always", "random": "random", "none": "never"}[second]
    router = TopKRouter(2, capacity=room, balance=0.0, second=kind, second_threshold=0.2)
    options = {"normalise": "before", "wanted": wanted}
    check(router, o, lambda o: limited(o, 2, room, **options)[0], given=Given(uniform=uniform))


@pytest.mark.parametrize("factor", [1.0, 1.25])
def test_top_1_of_fairseq(rng, factor):
    o = arrays(rng, 8)
    room = int(factor * np.ceil(N / 8))
    router = TopKRouter(1, normalise=False, balance=0.0, capacity=room)
    check(router, o, lambda o: limited(o, 1, room)[0])
    check_loss(
        router.set_params(balance=1.0, balance_on="first"), "balance", o, lambda o: balance(o, 1)
    )


@pytest.mark.parametrize("bpr", [False, True])
@pytest.mark.parametrize("factor", [1.0, 1.5])
@pytest.mark.parametrize("k", [1, 2])
def test_vmoe_and_flaxformer(rng, k, factor, bpr):
    o = arrays(rng, 6)
    room = int(np.ceil(factor * k * N / 6))
    priority = "score" if bpr else "order"
    router = TopKRouter(k, normalise=False, balance=0.0, capacity=factor, priority=priority)
    check(router, o, lambda o: limited(o, k, room, bpr=bpr)[0])
    router.set_params(capacity=room)
    check(router, o, lambda o: limited(o, k, room, bpr=bpr)[0])
    # One counts first choices, the other all of them, not divided by their number.
    first = TopKRouter(k, normalise=False, balance=1.0, balance_on="first")
    check_loss(first, "balance", o, lambda o: balance(o, 1))
    check_loss(
        first.set_params(balance=k, balance_on="all"), "balance", o, lambda o: k * balance(o, k)
    )


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_expert_choice(rng, factor):
    o = arrays(rng, 6)
    room = int(np.ceil(factor * N / 6))

    def combine(o):
        q = softmax(logits(o))
        full = np.zeros_like(q)
        for e in range(6):
            rows = best(q[:, e], room)
            full[rows, e] = q[rows, e]
        return full

    check(ExpertChoiceRouter(factor), o, combine)
    check(ExpertChoiceRouter(room), o, combine)


# ------------------------------------------------------------------------- noise


def softplus(s):
    return np.log(1.0 + np.exp(s))


def noisy(o):
    """Noisy logits, their deviations, and the two best and the third of each row."""
    sd = softplus(o["x"] @ o["Wn"] + o["bn"]) + 0.01
    s = logits(o) + o["eps"] * sd
    return s, sd, np.array([best(row, 3) for row in s])


def shazeer_combine(o):
    s, _, chosen = noisy(o)
    combine = np.zeros_like(s)
    for i in range(N):
        combine[i, chosen[i, :2]] = softmax(s[i, chosen[i, :2]])
    return combine


def shazeer_load(o):
    (s, sd, chosen), clean = noisy(o), logits(o)
    chance = np.zeros_like(s)
    for i, e in np.ndindex(*s.shape):
        beaten = chosen[i, 2] if e in chosen[i, :2] else chosen[i, 1]
        chance[i, e] = ndtr((clean[i, e] - s[i, beaten]) / sd[i, e])
    return chance.sum(axis=0)


def test_shazeer(rng):
    o = arrays(rng, 6)
    o |= {"Wn": rng.normal(size=(D, 6)), "bn": rng.normal(size=6), "eps": rng.normal(size=(N, 6))}
    params = {"W": o["Wr"], "b": o["br"], "Wn": o["Wn"], "bn": o["bn"]}
    options = {"params": params, "given": Given(normal=o["eps"])}
    maps = {"W": "Wr", "b": "br", "Wn": "Wn", "bn": "bn"}
    router = NoisyTopKRouter(2, importance=0.0, load=0.0)
    plan = check(router, o, shazeer_combine, names=NAMES | maps, **options)
    np.testing.assert_allclose(plan.memo["load"], shazeer_load(o), rtol=1e-12)
    np.testing.assert_allclose(plan.memo["importance"], shazeer_combine(o).sum(axis=0), **TIGHT)
    names = {"names": maps} | options
    check_loss(router.set_params(load=1.0), "load", o, lambda o: cv2(shazeer_load(o)), **names)
    router.set_params(load=0.0, importance=1.0)
    check_loss(router, "importance", o, lambda o: cv2(shazeer_combine(o).sum(axis=0)), **names)
    without = router.plan(params, {}, Rows(o["x"], np.ones(N))).combine()
    quiet = {**o, "eps": np.zeros((N, 6))}
    np.testing.assert_allclose(without, shazeer_combine(quiet), **TIGHT)


def test_losses_of_vmoe(rng):
    o = arrays(rng, 6)
    o["eps"] = rng.normal(size=(N, 6))
    router = NoisyTopKRouter(2, noise=1.0, importance=0.0, load=0.0)

    def combine(o):
        q = softmax(logits(o) + o["eps"] / 6)
        full = np.zeros_like(q)
        for i in range(N):
            full[i, best(q[i], 2)] = q[i, best(q[i], 2)]
        return full

    def load(o):
        clean = logits(o)
        s = clean + o["eps"] / 6
        threshold = np.array([row[best(row, 2)[1]] for row in s])
        return ndtr((clean - threshold[:, None]) * 6).sum(axis=0)

    given = {"given": Given(normal=o["eps"])}
    check(router, o, combine, **given)
    check_loss(router.set_params(load=1.0), "load", o, lambda o: cv2(load(o)), **given)
    router.set_params(load=0.0, importance=1.0)
    check_loss(router, "importance", o, lambda o: cv2(softmax(logits(o)).sum(axis=0)), **given)
    zero = {"W": np.zeros((D, 6)), "b": np.zeros(6)}
    _, g = losses_alone(router, zero, o["x"], Given(normal=o["eps"]))
    np.testing.assert_allclose(g["W"], 0.0, atol=1e-15)


# ------------------------------------------------------------------------- slots


def dispatched(rows, L, o):
    """Slots, and outputs of a soft mixture with given logits (n, E, p)."""
    into, mixed = softmax(L, axis=0), softmax(L.reshape(N, -1)).reshape(L.shape)
    slots = np.einsum("nep,nd->epd", into, rows)
    hidden = np.einsum("epd,edh->eph", slots, o["W1"]) + o["b1"][:, None]
    said = np.einsum("eph,ehd->epd", np.where(hidden.real > 0, hidden, 0), o["W2"])
    said = said + o["b2"][:, None]
    return slots, np.einsum("nep,epd->nd", mixed, said)


def test_soft_of_vmoe(rng):
    o = arrays(rng, 4)
    o |= {"mu": rng.normal(size=(D, 4, 3)), "scale": np.asarray(1.3)}

    def forward(o):
        unit = o["x"] / np.sqrt((o["x"] ** 2).sum(axis=1, keepdims=True) + 1e-6)
        axis = o["mu"] / np.sqrt((o["mu"] ** 2).sum(axis=0) + 1e-6)
        return dispatched(o["x"], o["scale"] * np.einsum("nd,dep->nep", unit, axis), o)

    params = {"phi": o["mu"].reshape(D, 12), "scale": o["scale"]}
    plan, y, g = run(SoftRouter(3), o, params)
    slots, expected = forward(o)
    np.testing.assert_allclose(plan.take(o["x"]), slots.reshape(12, D), **TIGHT)
    np.testing.assert_allclose(y, expected, **TIGHT)
    names = {"x": "x", "phi": "mu", "scale": "scale"} | {name: name for name in EXPERTS}
    for ours, theirs in names.items():
        places, found = slopes(lambda o: (forward(o)[1] * o["G"]).sum(), o, theirs, rng)
        np.testing.assert_allclose(g[ours].reshape(-1)[places], found, rtol=1e-11, atol=1e-11)


def test_soft_of_lucidrains(rng):
    """Rows that were normalised by their root mean square are what is dispatched."""
    o = arrays(rng, 4)
    normed = o["x"] / np.sqrt((o["x"] ** 2).mean(axis=1, keepdims=True))
    L = rng.normal(size=(N, 4, 3))
    plan = slots_of(L.reshape(N, 12), 4)
    slots, expected = dispatched(normed, L, o)
    taken = plan.take(normed)
    np.testing.assert_allclose(taken, slots.reshape(12, D), **TIGHT)
    said = np.concatenate(
        [
            np.maximum(taken[3 * e : 3 * e + 3] @ o["W1"][e] + o["b1"][e], 0) @ o["W2"][e]
            + o["b2"][e]
            for e in range(4)
        ]
    )
    np.testing.assert_allclose(plan.put(said), expected, **TIGHT)


# ------------------------------------------------------------------------- others


def test_shared_or_experts(rng):
    o = arrays(rng, 6, extra=1)
    o |= {"wg": rng.normal(size=D), "bg": np.asarray(0.3)}
    router = SharedOrExpertsRouter(2, balance=0.0, budget=0.4, budget_loss=0.0, dropout=0.0)

    def share(o):
        return sigmoid(o["x"] @ o["wg"] + o["bg"])

    def combine(o):
        full = top_k(o, 2, normalise=True, shared=1) * share(o)[:, None]
        full[:, 6] = 1.0 - share(o)
        return full

    params = {"W": o["Wr"], "b": o["br"], "v": o["wg"], "c": o["bg"]}
    names = NAMES | {"v": "wg", "c": "bg"}
    plan = check(router, o, combine, params=params, names=names)
    assert plan.memo["s"].sum() == pytest.approx(share(o).sum())
    still = router.plan(params, {}, Rows(o["x"], np.ones(N)))
    np.testing.assert_allclose(still.combine(), combine(o), **TIGHT)

    def budget(o):
        gap = share(o).sum() / N - 0.4
        return gap if gap.real > 0 else -gap

    router.set_params(budget_loss=1.0)
    check_loss(router, "budget", o, budget, params=params, names={"v": "wg", "c": "bg"})


@pytest.mark.parametrize(("n", "E"), [(24, 4), (96, 8), (320, 16)])
def test_base_assignment(rng, n, E):
    scores = rng.normal(size=(n, E))
    experts = BalancedRouter.assign(scores)
    row, column = linear_sum_assignment(np.repeat(scores, n // E, axis=1), maximize=True)
    optimum = scores[row, column // (n // E)].sum()
    assert scores[np.arange(n), experts].sum() == pytest.approx(optimum, abs=1e-9)
    np.testing.assert_array_equal(np.bincount(experts, minlength=E), n // E)


def test_hash_layer(rng):
    o, table = arrays(rng, 5), rng.integers(0, 5, 40)
    ids = rng.integers(0, 40, N)
    router = HashRouter(features=[0])
    state = router.table(np.arange(40.0)[:, None], table, 5)
    rows = Rows(o["x"], np.ones(N), inputs=ids[:, None].astype(float))
    plan = router.plan({}, state, rows, rng)
    np.testing.assert_array_equal(plan.combine(), np.eye(5)[table[ids]])


@pytest.mark.parametrize(("k", "normalise"), [(2, True), (3, False)], ids=["mixtral", "olmoe"])
def test_upcycled(rng, k, normalise):
    """Experts that are all the same: their sum of weights is what is left of the dense net."""
    o = arrays(rng, 8)
    for name in EXPERTS:
        o[name][:] = o[name][0]
    dense = np.maximum(o["x"] @ o["W1"][0] + o["b1"][0], 0) @ o["W2"][0] + o["b2"][0]
    plan, y, _ = run(TopKRouter(k, normalise=normalise), o, {"W": o["Wr"], "b": o["br"]})
    left = plan.combine().sum(axis=1, keepdims=True)
    np.testing.assert_allclose(y, dense * left, **TIGHT)
    assert np.allclose(left, 1.0) == normalise
