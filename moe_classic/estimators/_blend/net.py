"""Blends: a gate trained on the squared error of what the experts say together.

::

    f(x) = h( sum_k p_k(x) o_k(x) )
    E    = 1/V sum_n w_n ||t_n - f(x_n)||^2 / sum_n w_n + alpha/2 ||slopes||^2

The experts ``o_k`` are given; the gate is linear in x or has a layer of tanh units, and p is one of

- softmax:  ``p_k = exp(s_k) / sum_j exp(s_j)``
- sigmoid:  ``p_k = M_k / sum_j M_j``, ``M_k = 1 / (1 + exp(-s_k))``, the normaliser of Hampshire &
  Waibel (1992)
- linear:   ``p_k = s_k``, as in Collobert, Bengio & Bengio (2002)

of its outputs ``s``. ``V`` is the variance of the target, so that ``alpha`` and tolerances have no
unit. With D the derivative of E in the blend, ``dE/dp_k = D'o_k`` and, for softmax,
``dE/ds_k = p_k D'(o_k - sum_j p_j o_j)``: what lies between an expert and the blend moves the gate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize, nnls

from moe_classic._numerics import softmax_in_place
from moe_classic._typing import Floats

OUTPUTS = ("softmax", "sigmoid", "linear")
#: Numbers in one slice of the experts' outputs: keeps a pass inside the level-2 cache.
_SLICE = 1 << 16


# ------------------------------------------------------------------------- the gate


@dataclass(frozen=True)
class BlendNet:
    """A gate without numbers.

    Attributes
    ----------
    n_experts : int
    width : int
        Rows q of the design, the constant included.
    hidden_units : int
        Units of the tanh layer; 0 makes the gate linear.
    output : {"softmax", "sigmoid", "linear"}
    """

    n_experts: int
    width: int
    hidden_units: int = 0
    output: str = "softmax"

    @property
    def inner(self) -> int:
        """Width of what the outputs are linear in, the constant included."""
        return self.hidden_units + 1 if self.hidden_units else self.width

    def start(self, rng: np.random.Generator) -> Floats:
        """Coefficients under which all experts weigh the same everywhere; random hidden units."""
        first = rng.standard_normal((self.hidden_units, self.width)) / np.sqrt(self.width)
        last = np.zeros((self.n_experts, self.inner))
        if self.output == "linear":
            last[:, -1] = 1.0 / self.n_experts
        return np.concatenate([first.ravel(), last.ravel()])

    def split(self, theta: Floats) -> tuple[Floats, Floats]:
        """Coefficients of the hidden layer (H, q) and of the outputs (K, q or H + 1)."""
        stop = self.hidden_units * self.width
        first = theta[:stop].reshape(self.hidden_units, self.width)
        return first, theta[stop:].reshape(self.n_experts, self.inner)

    def slopes(self) -> Floats:
        """1 where a coefficient is a slope, 0 where it is an intercept; the shape of theta."""
        first, last = self.split(np.ones(self.start(np.random.default_rng(0)).size))
        first[:, -1] = 0.0
        last[:, -1] = 0.0
        return np.concatenate([first.ravel(), last.ravel()])

    def hidden(self, theta: Floats, Z: Floats) -> Floats:
        """What the outputs are linear in, (q or H + 1, n), for a design (q, n)."""
        if not self.hidden_units:
            return Z
        A = np.empty((self.inner, Z.shape[1]))
        np.tanh(self.split(theta)[0] @ Z, out=A[:-1])
        A[-1] = 1.0
        return A

    def weights(self, theta: Floats, Z: Floats) -> Floats:
        """Weights of the experts, (K, n)."""
        return self._normalised(self.split(theta)[1] @ self.hidden(theta, Z))

    def _normalised(self, s: Floats) -> Floats:
        """Weights from outputs ``s`` (K, n), which are overwritten."""
        if self.output == "linear":
            return s
        if self.output == "sigmoid":
            s = -np.logaddexp(0.0, -s)
        softmax_in_place(s)
        return s

    def pull(self, theta: Floats, Z: Floats, A: Floats, s: Floats, dp: Floats) -> Floats:
        """Gradient in theta from the derivatives ``dp`` (K, n) in the weights.

        ``A`` is what :meth:`hidden` gave, ``s`` the outputs before normalisation.
        """
        last = self.split(theta)[1]
        ds = dp
        if self.output != "linear":
            p = self._normalised(s.copy())
            ds = p * (dp - (p * dp).sum(axis=0))
            if self.output == "sigmoid":
                ds *= 1.0 / (1.0 + np.exp(np.minimum(s, 700.0)))
        d_last = ds @ A.T
        if not self.hidden_units:
            return d_last.ravel()
        d_first = ((last[:, :-1].T @ ds) * (1.0 - A[:-1] ** 2)) @ Z.T
        return np.concatenate([d_first.ravel(), d_last.ravel()])


# ------------------------------------------------------------------------- the loss


@dataclass(frozen=True)
class BlendData:
    """What a gate is trained on.

    Attributes
    ----------
    Z : ndarray of shape (q, n)
    outputs : ndarray of shape (K, d, n)
        What the experts say.
    target : ndarray of shape (d, n)
    w : ndarray of shape (n,)
    squash : bool
        Whether ``h`` is tanh rather than the identity.
    """

    Z: Floats
    outputs: Floats
    target: Floats
    w: Floats
    squash: bool = False

    @property
    def unit(self) -> float:
        """Variance of the target times the weight: what losses are divided by."""
        mean = self.target @ self.w / self.w.sum()
        total = float(np.square(self.target - mean[:, None]).sum(axis=0) @ self.w)
        return total if total > 0.0 else float(self.w.sum())

    def slices(self) -> list[slice]:
        """Rows a few at a time."""
        step = max(256, _SLICE // (self.outputs.shape[0] * self.outputs.shape[1]))
        return [slice(i, i + step) for i in range(0, self.w.size, step)]


def blended(outputs: Floats, weights: Floats, *, squash: bool = False) -> Floats:
    """``h(sum_k p_k o_k)``, (d, n), for outputs (K, d, n) and weights (K, n)."""
    f = np.einsum("kn,kdn->dn", weights, outputs)
    return np.tanh(f, out=f) if squash else f


def blend_objective(
    net: BlendNet, data: BlendData, alpha: float
) -> Callable[[Floats], tuple[float, Floats]]:
    """E and its gradient as a function of theta."""
    unit, slices, ridge = data.unit, data.slices(), alpha * net.slopes()

    def objective(theta: Floats) -> tuple[float, Floats]:
        value, gradient = 0.5 * float(ridge @ theta**2), ridge * theta
        for rows in slices:
            Z, O = data.Z[:, rows], data.outputs[:, :, rows]
            A = net.hidden(theta, Z)
            s = net.split(theta)[1] @ A
            f = blended(O, net._normalised(s.copy()), squash=data.squash)
            miss = data.target[:, rows] - f
            w = data.w[rows] / unit
            value += float(np.square(miss).sum(axis=0) @ w)
            D = -2.0 * w * miss
            if data.squash:
                D *= 1.0 - f**2
            gradient += net.pull(theta, Z, A, s, np.einsum("dn,kdn->kn", D, O))
        return value, gradient

    return objective


def error_of(data: BlendData, weights: Floats) -> float:
    """Weighted mean of the squared error of the blend, summed over outputs."""
    miss = data.target - blended(data.outputs, weights, squash=data.squash)
    return float(np.square(miss).sum(axis=0) @ data.w / data.w.sum())


# ------------------------------------------------------------------------- training


@dataclass(frozen=True)
class Trace:
    """How a minimisation went: losses after every step, whether it converged, passes."""

    losses: Floats
    converged: bool
    n_iter: int

    def followed_by(self, later: Trace) -> Trace:
        """Both as one; the later begins where this one ended."""
        losses = np.concatenate([self.losses, later.losses[1:]])
        return Trace(losses, self.converged and later.converged, self.n_iter + later.n_iter)


def descend(
    objective: Callable[[Floats], tuple[float, Floats]],
    theta: Floats,
    *,
    max_iter: int,
    tol: float,
) -> tuple[Floats, Trace]:
    """L-BFGS from ``theta``; ends when a step lowers the loss by less than ``tol`` of it."""
    losses: list[float] = [objective(theta)[0]]
    result = minimize(
        objective,
        theta,
        jac=True,
        method="L-BFGS-B",
        callback=lambda intermediate_result: losses.append(float(intermediate_result.fun)),
        # gtol: the gradient of a loss of order one, far below what ftol lets through.
        options={"maxiter": max_iter, "maxfun": 20 * max_iter, "ftol": tol, "gtol": 1e-12},
    )
    return result.x, Trace(np.array(losses), bool(result.nit < max_iter), max(1, int(result.nit)))


def simplex_weights(outputs: Floats, target: Floats, w: Floats) -> Floats:
    """Weights (K,) >= 0 that sum to one and minimise the squared error of the blend, exactly.

    With ``B_k = o_k - t`` the error is ``||B p||^2`` on the simplex. Non-negative least squares of
    ``[B; 1'] q`` against ``[0; 1]`` has its solution on the same ray, because the best length of
    any direction rises as its error falls (Lawson & Hanson 1974, chapter 23); it is divided by its
    sum. Only the Gram matrix of B is needed.
    """
    B = (outputs - target) * np.sqrt(w)
    B = B.reshape(len(outputs), -1)
    gram = B @ B.T
    values, vectors = np.linalg.eigh(gram)
    size = max(float(np.trace(gram)), np.finfo(float).tiny)
    root = np.sqrt(np.maximum(values, 0.0) / size)[:, None] * vectors.T
    q = nnls(np.vstack([root, np.ones(len(gram))]), np.r_[np.zeros(len(gram)), 1.0])[0]
    return q / q.sum()
