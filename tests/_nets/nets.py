"""Small nets for tests, and gradients that are recorded in place of steps."""

import numpy as np

from moe_classic._nets import Affine, Batch, Buffers, Experts, Head, Net, SparseLayer, with_ones
from moe_classic.routers import make_router


def make_net(
    router,
    rng,
    *,
    p=4,
    d=5,
    E=5,
    h=6,
    layers=2,
    out=2,
    kind="real",
    mixed=False,
    activation="tanh",
    dtype=np.float64,
    places=0,
):
    """A net with a stem and sparse layers, and routers that are far from ties."""
    router = make_router(router, E)
    parts = [Affine(p, d, "identity", places=places)]
    parts[0].start(rng, dtype)
    total = E + router.extra_experts()
    for _ in range(layers):
        layer = SparseLayer(router, Experts(total, d, h, d, activation))
        layer.start(rng, dtype, seen=d)
        for name, array in layer.arrays.items():
            layer.arrays[name] = (array + rng.normal(scale=0.4, size=array.shape)).astype(dtype)
        layer.table[...] += 0.1 * rng.normal(size=layer.table.shape)
        parts.append(layer)
    head = Head(d, out, kind, mixed=mixed, density_experts=total)
    head.start(rng, dtype)
    return Net(parts, head, dtype)


def make_batch(net, rng, n=23, p=4, out=2, group=0, dtype=np.float64):
    x = rng.normal(size=(n * max(group, 1), p)).astype(dtype)
    w = rng.uniform(0.5, 1.5, n).astype(dtype)
    batch = Batch(with_ones(x), w / w.mean(), x[:n] if group else x, group)
    net.prepare(batch.inputs, batch.w)
    if net.head.kind == "real":
        return batch, rng.normal(size=(n, out)).astype(dtype)
    return batch, rng.integers(0, out, n)


class Recorder:
    """In place of an optimiser: keeps the gradients of the experts."""

    def __init__(self, net):
        self.grads = [np.zeros_like(layer.table) for layer in net.sparse]

    def __call__(self, layer, table, first, stop, g):
        self.grads[layer][first:stop] = g


def gradients(net, batch, y, seed=0):
    """Step, and gradients of all arrays by name."""
    _, grads, _ = net.pack()
    grads[:] = 0.0
    recorder = Recorder(net)
    step = net.step(batch, y, Buffers(net.dtype), np.random.default_rng(seed), recorder)
    found = {}
    for i, part in enumerate(net.parts):
        found |= {f"{i}.{name}": g.copy() for name, g in part.grads.items()}
    return step, found | {f"table{i}": g for i, g in enumerate(recorder.grads)}


def numbers(net):
    """All arrays by the same names, to be changed in place."""
    found = {}
    for i, part in enumerate(net.parts):
        found |= {f"{i}.{name}": a for name, a in part.arrays.items()}
    return found | {f"table{i}": layer.table for i, layer in enumerate(net.sparse)}
