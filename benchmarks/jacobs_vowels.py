"""The vowel experiment of Jacobs, Jordan, Nowlan & Hinton (1991), table 1, run again.

    python benchmarks/jacobs_vowels.py [--runs 25] [--limit 10000] [--errors]

Four vowels, [i] [I] [a] [^], from the first two formants in kHz; 50 speakers to train on, 25 to
test on; batch gradient descent with a fixed step and no momentum until the mean squared error on
the training set is 0.08. Systems of 4 and 8 experts under a gate that starts uniform compete with
nets of 6 and 12 hidden units trained by back-propagation.

The recordings of Peterson & Barney (1952) are replaced by formants drawn around their published
means (``make_vowels``), with speakers in random order. The paper leaves the coding of the classes,
the steps and the starting weights open. Here experts are logistic units with one output, {i, ^}
coded 0 and {I, a} coded 1, trained on E3; each system has the largest step (on sums over the 400
cases, among 0.02, 0.05 and 0.1) with which all runs end. Orders of magnitude can be compared, not
digits; the epochs of the nets depend on their starting weights (a spread of 1 instead of 0.5 takes
off a third), so that the paper's factor of two is not a property of the systems alone.

With ``--errors`` four experts are trained under each of the paper's three error functions.
"""

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd
from _results import add_output, keep

from moe_classic._data import ArraySource, summarise
from moe_classic._model import Group, Model
from moe_classic._objectives import ERRORS, MixtureLikelihood
from moe_classic.datasets import make_vowels
from moe_classic.experts import LogisticExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.solvers import Problem

GOAL = 0.08
EXPERT_STEP, EXPERT_SPREAD = 0.05, 0.1
NET_STEP, NET_SPREAD = 0.02, 0.5
PAPER = {
    "4 experts": (88, 90, 1124, 23),
    "8 experts": (88, 90, 1083, 12),
    "backprop, 6 hidden": (88, 90, 2209, 83),
    "backprop, 12 hidden": (88, 90, 2435, 124),
}


def border(X):
    """Design (q, n): the features and a row of ones."""
    return np.vstack([X.T, np.ones(len(X))])


border.width = 3


def vowels(seed):
    """Formants in kHz and binary codes of 50 training and 25 test speakers."""
    found = make_vowels(random_state=seed)
    names = np.asarray(found.target_names)[found.target]
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.unique(found.speakers))[:75]
    code = {"iy": 0, "ah": 0, "ih": 1, "aa": 1}
    sets = []
    for speakers in (order[:50], order[50:]):
        rows = np.isin(found.speakers, speakers) & np.isin(names, list(code))
        sets.append((found.data[rows, 1:3] / 1000.0, np.array([code[v] for v in names[rows]])))
    return sets


# ------------------------------------------------------------------------- the systems


class Experts:
    """Logistic experts under a softmax gate, trained on one of the error functions."""

    def __init__(self, n_experts, X, y, rng, error="unit_likelihood"):
        group = Group(LogisticExpert(alpha=0.0), n_experts, 0)
        self.model = Model(SoftmaxGate(alpha=0.0), (group,))
        self.problem = replace(self.on(X, y), objective=ERRORS[error](self.model))
        self.start = self.model.start([3], self.problem.summary)
        self.theta = self.model.pack(self.start)
        gate = self.start.gate.coef.size
        self.theta[gate:] = EXPERT_SPREAD * rng.standard_normal(self.theta.size - gate)

    def on(self, X, y):
        """The fitting problem on some rows."""
        w = np.ones(len(y))
        source = ArraySource(X, y, w, (border,))
        return Problem(self.model, MixtureLikelihood(self.model), source, summarise(y, w, 2))

    def params(self):
        """Parameters of the model."""
        return self.model.unpack(self.theta, self.start, self.problem.summary)

    def descend(self):
        """One step of batch gradient descent."""
        self.theta = self.theta + EXPERT_STEP * self.problem.slope(self.params())[1]

    def error(self):
        """Mean squared error of the blended output on the training set."""
        posed = replace(self.problem, objective=ERRORS["cooperative"](self.model))
        return -posed.value(self.params()) / self.problem.summary.weight

    def accuracy(self, X, y):
        """Share of rows on the right side of one half."""
        params, block = self.params(), self.on(X, y).source[0]
        g = np.exp(self.model.log_gate(params, block))
        P = self.model.groups[0].expert.probabilities(params.experts[0], block.designs[0])
        return float((((g * P[:, 0]).sum(axis=0) > 0.5) == (y == 0)).mean())

    def active(self, X, y):
        """How many experts the gate prefers somewhere."""
        block = self.on(X, y).source[0]
        return np.unique(self.model.log_gate(self.params(), block).argmax(axis=0)).size


class Net:
    """One layer of sigmoid units and a sigmoid output, trained on the squared error."""

    def __init__(self, n_hidden, X, y, rng):
        self.Z, self.t = border(X), y.astype(float)
        self.inner = NET_SPREAD * rng.standard_normal((n_hidden, 3))
        self.outer = NET_SPREAD * rng.standard_normal(n_hidden + 1)

    def forward(self, Z):
        """Hidden activities with a row of ones, and outputs."""
        hidden = np.vstack([1.0 / (1.0 + np.exp(-self.inner @ Z)), np.ones(Z.shape[1])])
        return hidden, 1.0 / (1.0 + np.exp(-self.outer @ hidden))

    def descend(self):
        """One step of back-propagation."""
        hidden, o = self.forward(self.Z)
        delta = 2.0 * (self.t - o) * o * (1.0 - o)
        back = np.outer(self.outer[:-1], delta) * hidden[:-1] * (1.0 - hidden[:-1])
        self.outer = self.outer + NET_STEP * hidden @ delta
        self.inner = self.inner + NET_STEP * back @ self.Z.T

    def error(self):
        """Mean squared error on the training set."""
        return float(((self.t - self.forward(self.Z)[1]) ** 2).mean())

    def accuracy(self, X, y):
        """Share of rows on the right side of one half."""
        return float(((self.forward(border(X))[1] > 0.5) == (y == 1)).mean())

    def active(self, X, y):
        """A net has no experts."""
        return np.nan


# ------------------------------------------------------------------------- the race


def train(system, limit):
    """Epochs to the goal, nan if the limit comes first."""
    for epoch in range(limit):
        if system.error() <= GOAL:
            return epoch
        system.descend()
    return np.nan


def compare(makers, runs, limit):
    """One row a system: accuracies in per cent, epochs and their spread over the runs."""
    rows = []
    for name, make in makers.items():
        found = []
        for run in range(runs):
            (X, y), (X_test, y_test) = vowels(seed=0)
            system = make(X, y, np.random.default_rng(run))
            epochs = train(system, limit)
            hits = system.accuracy(X, y), system.accuracy(X_test, y_test)
            found.append((100 * hits[0], 100 * hits[1], epochs, system.active(X, y)))
        found = np.array(found)
        done = found[np.isfinite(found[:, 2])]
        middle = done.mean(axis=0) if len(done) else np.full(4, np.nan)
        spread = done[:, 2].std(ddof=1) if len(done) > 1 else np.nan
        paper = PAPER.get(name, ("", "", "", ""))
        rows.append((name, *middle[:3], spread, middle[3], f"{len(done)}/{runs}", *paper))
    columns = ["system", "train %", "test %", "epochs", "SD", "active", "reached"]
    columns += ["paper train", "paper test", "paper epochs", "paper SD"]
    return pd.DataFrame(rows, columns=columns).set_index("system")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--limit", type=int, default=10000)
    parser.add_argument("--errors", action="store_true")
    add_output(parser)
    options = parser.parse_args()
    if options.errors:
        makers = {
            f"4 experts, {error}": lambda X, y, rng, error=error: Experts(4, X, y, rng, error)
            for error in ERRORS
        }
    else:
        makers = {f"{k} experts": lambda X, y, rng, k=k: Experts(k, X, y, rng) for k in (4, 8)}
        makers |= {
            f"backprop, {k} hidden": lambda X, y, rng, k=k: Net(k, X, y, rng) for k in (6, 12)
        }
    table = compare(makers, options.runs, options.limit)
    print(table.round(1).to_string())
    heads = {"train %": "train", "test %": "test", "SD": "sd", "paper epochs": "paper"}
    kept = table.rename(columns=heads)[["epochs", "sd", "train", "test", "paper"]].reset_index()
    keep("jacobs_vowels", kept.to_dict("records"), ["system"], options.output)


if __name__ == "__main__":
    main()
