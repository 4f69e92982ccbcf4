"""Recorded cases of nets with sparse layers: a few epochs, so that digits do not run apart."""

from __future__ import annotations

from functools import partial
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from moe_classic import (
    DeepMoEClassifier,
    DeepMoERegressor,
    MixtureOfSoftmaxesClassifier,
    SparseMoEClassifier,
    SparseMoERegressor,
)

from .registry import MADE_OF, SHOWN, Values, add, classes, lines


def _trained(net: Any, table: Any) -> Values:
    X, y = table()
    with catch_warnings():
        simplefilter("ignore")
        net.fit(X, y)
    out = {
        MADE_OF: type(net).__name__,
        "loss_": net.loss_,
        "n_iter_": net.n_iter_,
        "predict": net.predict(X[:SHOWN]),
        "gate_proba": net.gate_proba(X[:SHOWN]),
        "load_": np.asarray(net.load_),
    }
    if hasattr(net, "predict_proba"):
        out["predict_proba"] = net.predict_proba(X[:SHOWN])
    return out


def _net(name: str, net: Any, table: Any) -> None:
    add(f"net, {name}", partial(_trained, net.set_params(random_state=0, max_iter=3), table))


_net("top k", SparseMoERegressor(4, expert_width=8, width=8), lines)
_net("switch", SparseMoEClassifier(4, router="switch", expert_width=8, width=8), classes)
_net("soft", SparseMoERegressor(4, router="soft", expert_width=8, width=8), lines)
_net("deep, classes", DeepMoEClassifier(3, expert_width=6, gate_units=6), classes)
_net("deep", DeepMoERegressor(3, expert_width=6, gate_units=6), lines)
_net("softmaxes", MixtureOfSoftmaxesClassifier(3, context_width=8, latent_width=6), classes)
