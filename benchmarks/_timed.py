"""Models that are given so many CPU seconds and keep the best they had: judged on rows held out.

Every one holds out a tenth of its training rows, as the sparse net does, and goes on until the next
round would not fit into its time. Time spent on judging counts.
"""

import time
from copy import deepcopy

import numpy as np
from sklearn.callback import FitCallback
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

#: Rounds that trees grow by at first; later a quarter of those they have.
_ROUNDS = 10


class Clock:
    """CPU seconds from now on."""

    def __init__(self, seconds):
        self.start, self.seconds = time.process_time(), seconds

    @property
    def spent(self):
        return time.process_time() - self.start

    def fits(self, ahead):
        """Whether something that takes so long would still fit."""
        return self.spent + ahead <= self.seconds


def score(y, said):
    """R2, or the share of classes that are right."""
    return r2_score(y, said) if y.dtype.kind == "f" else accuracy_score(y, said)


def held_out(X, y, seed):
    """Rows to learn from and a tenth to judge by, classes in equal shares."""
    classes = None if y.dtype.kind == "f" else y
    return train_test_split(X, y, test_size=0.1, random_state=seed, stratify=classes)


class TimedPerceptron:
    """Epochs of a perceptron; the weights of the best one are kept."""

    def __init__(self, net, seconds, seed):
        self.net, self.seconds, self.seed = net, seconds, seed

    def fit(self, X, y):
        clock, longest, best = Clock(self.seconds), 0.0, -np.inf
        self.scaler = StandardScaler().fit(X)
        X, X_held, y, y_held = held_out(self.scaler.transform(X), y, self.seed)
        options = {} if y.dtype.kind == "f" else {"classes": np.unique(y)}
        self.epochs = 0
        while self.epochs == 0 or clock.fits(longest):
            before = clock.spent
            self.net.partial_fit(X, y, **options)
            value = score(y_held, self.net.predict(X_held))
            if value > best:
                best = value
                numbers = deepcopy((self.net.coefs_, self.net.intercepts_))
            longest = max(longest, clock.spent - before)
            self.epochs += 1
        self.net.coefs_, self.net.intercepts_ = numbers
        return self

    def predict(self, X):
        return self.net.predict(self.scaler.transform(X))


class TimedTrees:
    """Rounds of boosting; the best number of them is kept. Several outputs share the time."""

    def __init__(self, trees, seconds, seed):
        self.trees, self.seconds, self.seed = trees, seconds, seed

    def fit(self, X, y):
        X, X_held, y, y_held = held_out(X, y, self.seed)
        self.flat = y.ndim == 1
        outputs = [(y, y_held)] if self.flat else list(zip(y.T, y_held.T, strict=True))
        share = self.seconds / len(outputs)
        self.grown = [self._grown(X, X_held, *pair, Clock(share)) for pair in outputs]
        return self

    def _grown(self, X, X_held, y, y_held, clock):
        trees = deepcopy(self.trees).set_params(warm_start=True, max_iter=_ROUNDS)
        each = 0.0
        while True:
            before, had = clock.spent, getattr(trees, "n_iter_", 0)
            trees.fit(X, y)
            each = max(each, (clock.spent - before) / (trees.n_iter_ - had))
            more = max(_ROUNDS, trees.n_iter_ // 4)
            # Judging all stages costs about a tenth of growing them.
            if not clock.fits(each * (1.1 * more + 0.1 * trees.n_iter_)):
                break
            trees.set_params(max_iter=trees.n_iter_ + more)
        stages = [score(y_held, said) for said in trees.staged_predict(X_held)]
        return trees, int(np.argmax(stages))

    def predict(self, X):
        said = []
        for trees, best in self.grown:
            for stage, values in enumerate(trees.staged_predict(X)):
                if stage == best:
                    said.append(values)
                    break
        return said[0] if self.flat else np.column_stack(said)


class TimedMixture:
    """Classical mixtures of 4, 8, 16, ... experts; the best of them is kept."""

    def __init__(self, mixture, seconds, seed):
        self.mixture, self.seconds, self.seed = mixture, seconds, seed

    def fit(self, X, y):
        clock, best, last = Clock(self.seconds), -np.inf, 0.0
        X, X_held, y, y_held = held_out(X, y, self.seed)
        for n_experts in (4, 8, 16, 32, 64):
            if n_experts > 4 and not clock.fits(2.5 * last):
                break
            before = clock.spent
            moe = deepcopy(self.mixture).set_params(n_experts=n_experts).fit(X, y)
            value = score(y_held, moe.predict(X_held))
            last = clock.spent - before
            if value > best:
                best, self.kept = value, moe
        return self

    def predict(self, X):
        return self.kept.predict(X)


class TimedNet:
    """A sparse net that is stopped by a callback when its time is over; its best epoch is kept."""

    def __init__(self, net, seconds):
        self.net, self.seconds = net, seconds

    def fit(self, X, y):
        self.net.set_callbacks(Deadline(Clock(self.seconds))).fit(X, y)
        return self

    def predict(self, X):
        return self.net.predict(X)


class Deadline(FitCallback):
    """Asks a fit to stop before the epoch that would not fit into its time."""

    def __init__(self, clock):
        self.clock, self.last, self.longest = clock, 0.0, 0.0

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name != "iteration":
            return None
        spent = self.clock.spent
        self.longest, self.last = max(self.longest, spent - self.last), spent
        return not self.clock.fits(self.longest)
