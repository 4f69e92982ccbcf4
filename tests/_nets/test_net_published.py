"""A mixture of softmaxes by its formula, with gradients to rounding."""

import numpy as np

from moe_classic._nets import Batch, Experts, Head, Net, SparseLayer, with_ones
from moe_classic.routers import DenseRouter

from .nets import gradients

N, C, K, M, V = 17, 4, 3, 5, 11


def proba(o):
    """``sum_k p_k softmax(tanh(c L_k + l_k) B + b)``, with p and latents from the context."""

    def softmax(s):
        e = np.exp(s - s.real.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    prior = softmax(o["context"] @ o["prior_W"].T)
    latent = np.tanh(o["context"] @ o["latent_W"].T + o["latent_b"]).reshape(N, K, M)
    return np.einsum("nk,nkv->nv", prior, softmax(latent @ o["decoder_W"].T + o["decoder_b"]))


def test_mixture_of_softmaxes(rng):
    shapes = {"context": (N, C), "prior_W": (K, C), "latent_W": (K * M, C), "latent_b": (K * M,)}
    shapes |= {"decoder_W": (V, M), "decoder_b": (V,)}
    o = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    y = rng.integers(0, V, N)
    layer = SparseLayer(DenseRouter(intercept=False), Experts(K, C, 0, M, "tanh"), residual=False)
    layer.start(rng, np.float64, seen=C)
    layer.arrays["W"] = o["prior_W"].T.copy()
    for k in range(K):
        (W,) = layer.experts.maps(layer.table[k])
        W[:-1], W[-1] = o["latent_W"].reshape(K, M, C)[k].T, o["latent_b"].reshape(K, M)[k]
    head = Head(M, V, "class", mixed=True)
    head.arrays = {"W": np.vstack([o["decoder_W"].T, o["decoder_b"]])}
    net = Net([layer], head, np.float64)
    batch = Batch(with_ones(o["context"]), np.ones(N))
    np.testing.assert_allclose(net.answer(batch), proba(o), atol=1e-13)
    step, g = gradients(net, batch, y)

    def nll(o):
        return -np.log(proba(o)[np.arange(N), y]).mean()

    assert abs(step.loss - nll(o)) < 1e-13
    maps = [layer.experts.maps(row)[0] for row in g["table0"]]
    ours = {
        "prior_W": g["0.W"].T,
        "latent_W": np.concatenate([W[:-1].T for W in maps]),
        "latent_b": np.concatenate([W[-1] for W in maps]),
        "decoder_W": g["1.W"][:-1].T,
        "decoder_b": g["1.W"][-1],
    }
    for name, values in ours.items():
        for place in rng.choice(o[name].size, 3, replace=False):
            moved = o[name].astype(complex)
            moved.reshape(-1)[place] += 1e-30j
            expected = nll({**o, name: moved}).imag / 1e-30
            assert abs(np.ascontiguousarray(values).reshape(-1)[place] - expected) < 1e-12, name
