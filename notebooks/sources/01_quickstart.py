# %% [markdown]
# # Quickstart: what happens to the head in a crash?
#
# A mixture of experts fits several simple models at once, and a *gate* that says which of them
# holds where. Here the simple models are straight lines with Gaussian noise. The data are 133
# readings of a head's acceleration in a simulated motorcycle crash, a test of helmets.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from moe_classic import MoERegressor
from moe_classic.datasets import load_motorcycle
from moe_classic.inspection import ExpertsDisplay, FanDisplay, GateDisplay

X, y = load_motorcycle(return_X_y=True, as_frame=True)
X.join(y).describe().round(1)

# %%
TIME, FORCE = "time after the impact (ms)", "acceleration (g)"
fig, ax = plt.subplots(figsize=(6.4, 3.6))
ax.scatter(X.times, y, s=14, color="#555555")
ax.set(xlabel=TIME, ylabel=FORCE)
plt.show()

# %% [markdown]
# One straight line is no use, and neither is one size of noise: before the impact there is next to
# none. So how many experts? `fit` and `bic` are enough to ask.

# %%
fits = {K: MoERegressor(K, random_state=0).fit(X, y) for K in range(1, 7)}
pd.DataFrame(
    {
        "log-likelihood": {K: moe.log_likelihood_ for K, moe in fits.items()},
        "parameters": {K: moe.n_parameters_ for K, moe in fits.items()},
        "BIC": {K: moe.bic(X, y) for K, moe in fits.items()},
    }
).rename_axis("experts").round(1)

# %% [markdown]
# BIC is lowest for four experts.
#
# ## Which expert when?
#
# `summary()` has one column an expert, ordered by the share of the rows that each explains. The
# coefficients are those of four lines, in the units of the data; `scale` is the standard deviation
# of the noise around each. Coefficients of the gate are log odds against the last expert.

# %%
moe = fits[4]
moe.summary().round(2)

# %%
fig, axes = plt.subplots(
    2, 1, figsize=(7, 6.4), height_ratios=[2, 1], sharex=True, layout="constrained"
)
ExpertsDisplay.from_estimator(moe, X, y, ax=axes[0])
GateDisplay.from_estimator(moe, X, ax=axes[1])
axes[0].set(xlabel="", ylabel=FORCE)
axes[1].set_xlabel(TIME)
plt.show()

# %% [markdown]
# The reading: rest until about 14 ms (expert 4, noise of 1.4 g), the blow (expert 2 falls by 18 g a
# millisecond), the rebound from 21 ms on (expert 1), and from about 34 ms on a slow return to rest
# (expert 3). An expert's line is strong where the gate trusts it; its band is the central 80 %
# interval of its own noise. Nobody told the model where one regime ends and the next begins.
#
# ## What will be, and how sure?
#
# Predictions are whole distributions. `predict` gives the mean, `predict_interval` and
# `predict_quantile` the rest. The intervals are narrow before the impact and wide after it.

# %%
new = pd.DataFrame({"times": [5.0, 14.5, 20.0, 30.0, 45.0]})
low, high = moe.predict_interval(new, coverage=0.9).T
new.assign(mean=moe.predict(new), low=low, high=high).round(1)

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
FanDisplay.from_estimator(moe, X, y, ax=axes[0])
FanDisplay.from_estimator(moe, X, ax=axes[1], kind="density")
axes[0].set(xlabel=TIME, ylabel=FORCE)
axes[1].set(xlabel=TIME, ylabel="")
plt.show()

# %% [markdown]
# On the right is the density itself. Around 14 ms and 34 ms it has two branches, because either of
# two experts may be right there; the mean (dashed) then runs between them.
#
# ## Which expert for this row?
#
# `gate_proba` answers before the acceleration is known, `responsibilities` after. Here are the
# readings near 34 ms, where the gate cannot decide; once the reading is known there is less doubt.
# The 75 g at 34.8 ms belong to the rebound, the 1.3 g at 34.4 ms to the return.

# %%
rows = X.index[X.times.between(33, 35)]
names = [expert.label for expert in moe.experts_]
before = pd.DataFrame(moe.gate_proba(X.loc[rows]), columns=names)
after = pd.DataFrame(moe.responsibilities(X.loc[rows], y[rows]), columns=names)
both = pd.concat({"before (gate)": before, "after (responsibility)": after}, axis=1)
both.insert(0, ("reading", "accel"), y[rows].to_numpy())
both.insert(0, ("reading", "times"), X.times[rows].to_numpy())
both.round(2)

# %% [markdown]
# ## Is it better on rows it has not seen?
#
# Estimators are scikit-learn's: they go into `cross_validate`, pipelines and grid searches. The log
# score is the mean log density of held-out rows, higher is better.

# %%
from sklearn.model_selection import KFold, cross_validate

from moe_classic.metrics import get_scorer

folds = KFold(10, shuffle=True, random_state=0)
scoring = get_scorer(["log_score", "r2"])
found = {}
for K in (1, 4):
    scores = cross_validate(fits[K], X, y, cv=folds, scoring=scoring)
    found[K] = {name: scores[f"test_{name}"].mean() for name in scoring}
pd.DataFrame(found).T.rename_axis("experts").round(2)

# %% [markdown]
# ## The same for classes
#
# With `MoEClassifier` the experts are logistic or multinomial regressions. Exclusive or is the
# smallest problem that one of them cannot solve and two of them can.

# %%
from moe_classic import MoEClassifier

corners = pd.DataFrame({"a": [0, 0, 1, 1] * 10, "b": [0, 1, 0, 1] * 10})
differ = corners.a != corners.b
pd.Series(
    {
        K: MoEClassifier(K, random_state=0).fit(corners, differ).score(corners, differ)
        for K in (1, 2)
    },
    name="accuracy",
).rename_axis("experts")
