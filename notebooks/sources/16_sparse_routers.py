# %% [markdown]
# # Who works, when nobody sees to it that all do?
#
# A sparse net has many experts and consults few of them for each row. Which ones, is learned: by the
# same steps that teach the experts. An expert that is chosen learns, one that has learned is chosen
# more. Left alone, a few take everything. We watch that happen on a function in 16 pieces, and cure it
# in two ways; then we put all routers of the literature to the same task. Experts have two hidden units
# here, so that one cannot do the work of many.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from moe_classic import SparseMoERegressor
from moe_classic.datasets import make_regimes
from moe_classic.inspection import LoadDisplay, RoutingDisplay
from moe_classic.routers import ROUTERS, RoutingWarning, TopKRouter

X, y = make_regimes(6000, n_regimes=16, n_features=2, noise=0.1, random_state=0)
X_test, y_test, regime = make_regimes(
    3000, n_regimes=16, n_features=2, noise=0.1, random_state=1, return_regimes=True
)


def train(router, n_rows=6000, max_iter=100):
    net = SparseMoERegressor(
        16, router=router, width=None, expert_width=2, max_iter=max_iter, random_state=0
    )
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        net.fit(X[:n_rows], y[:n_rows])
    return net, [str(w.message) for w in heard if issubclass(w.category, RoutingWarning)]


# %% [markdown]
# ## One expert a row, and no balance
#
# `TopKRouter(1, balance=0)` sends every row to its best expert, and nothing else. The fit says itself
# what came of it.

# %%
alone, heard = train(TopKRouter(1, balance=0.0))
heard[0].split(":")[0]

# %% [markdown]
# ## Two cures
#
# *By a loss*: the share of the rows that an expert gets, times the mean probability that the router gives
# it, summed over the experts; the router is pulled away from busy ones. *By a bias* (DeepSeek-V3):
# after every batch, idle experts get a little more in the comparison, busy ones a little less; what they
# weigh does not change, and there is no loss.

# %%
by_loss, _ = train(TopKRouter(1, balance=0.1))
by_bias, _ = train(TopKRouter(1, score="sigmoid", balance=0.0, bias_rate=0.01))
cures = {"no balance": alone, "balance by a loss": by_loss, "balance by a bias": by_bias}

fig, axes = plt.subplots(1, 3, figsize=(12, 3.6), sharey=True, layout="constrained")
for ax, (name, net) in zip(axes, cures.items(), strict=True):
    LoadDisplay.from_estimator(net, kind="experts", ax=ax)
    ax.set_title(name)
    ax.set_ylabel("")
axes[0].set_ylabel("load over even load")
plt.show()

# %%
pd.DataFrame(
    {
        name: {
            "experts at work": int((net.load_[0] > 0.01 / 16).sum()),
            "entropy of the load": round(net.history_.balance_entropy_0[net.best_iter_ - 1], 2),
            "R2 on new rows": round(net.score(X_test, y_test), 2),
        }
        for name, net in cures.items()
    }
).T

# %% [markdown]
# Without balance a few experts do all the work, and two units each are too few for it. The loss puts all
# to work, and the fit gains. The bias makes the load more even still, but even is not yet good: it
# does not say which rows belong together. Where in the plane does each expert work? Colours are
# experts; the true pieces are on the right.

# %%
fig, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
for ax, name in zip(axes, ("no balance", "balance by a loss"), strict=False):
    RoutingDisplay.from_estimator(cures[name], X_test, ax=ax)
    ax.set_title(name)
RoutingDisplay(weights=np.eye(16)[regime], points=X_test).plot(axes[2])
axes[2].set_title("the pieces")
plt.show()

# %% [markdown]
# ## All of them
#
# Every name in `ROUTERS`, as it is. To be short they get a third of the rows and forty passes: enough to
# see who falls behind, not to rank the others.

# %%
rows = {}
for name in sorted(ROUTERS):
    net, _ = train(name, n_rows=2000, max_iter=40)
    rows[name] = {"R2": round(net.score(X_test, y_test), 2)}
table = pd.DataFrame(rows).T.sort_values("R2", ascending=False)
fig, ax = plt.subplots(figsize=(7.5, 5), layout="constrained")
ax.barh(table.index[::-1], table.R2[::-1], color="#0072B2")
ax.set(xlabel="R2 on new rows", xlim=(0, 1))
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Experts are tiny here, so a router that asks all sixteen for a row is ahead (`deep`). Three are far below the
# middle, and each has a reason: slots that after training give every row the same few answers to mix
# (`soft`), signs that know nothing of the pieces (`hash`), and a training in which every expert gets as many
# rows as any other, though the pieces differ in size, while a prediction takes the best (`base`). Those in
# between would change places with more rows and passes.
