# %% [markdown]
# # How many experts, and how sure are we of them?
#
# Old Faithful: the length of an eruption (minutes) predicts the wait for the next one. The data look
# like two groups. Is that one line or two, or more? And when there are two, how well are their slopes
# known, and the place where one takes over from the other?

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from moe_classic import MoERegressor
from moe_classic.datasets import load_faithful, make_moe
from moe_classic.inference import inference
from moe_classic.inspection import CoefficientDisplay, ExpertsDisplay, SelectionDisplay
from moe_classic.model_selection import bootstrap_lrt, select

X, y = load_faithful(return_X_y=True, as_frame=True)

# %% [markdown]
# ## Criteria
#
# `select` fits one to four experts. Every fit also starts from splits of the fit before, so that the
# likelihood rises with each expert; the question is whether it rises enough.

# %%
chosen = select(X, y, n_experts=range(1, 5), estimator=MoERegressor(random_state=0))
columns = ["n_experts", "n_parameters", "log_likelihood", "aic", "bic", "icl"]
chosen.table[columns].round(1)

# %%
SelectionDisplay.from_table(chosen.table, criterion=["aic", "bic", "icl"])
plt.show()

# %% [markdown]
# They disagree, as they often do. BIC wants two experts, AIC is nearly indifferent between two and three.
# ICL, which adds a fine for experts that cannot be told apart, wants one: the lines are not far apart, and
# between three and four minutes it is not clear which of them a row belongs to. Fits of three in which one
# is a dozen rows nearly on a line are passed over: their likelihood is higher, and says nothing. Two
# further opinions.
#
# *Held-out rows.* The log score of five-fold cross-validation, with up to three experts,
# sides with BIC. With three the starts of some folds disagree, as their `start_report_` says, and the last
# digit shown is not to be relied on.

# %%
held_out = select(
    X,
    y,
    n_experts=range(1, 4),
    criterion="log_score",
    estimator=MoERegressor(n_init=3, random_state=0),
)
held_out.table[["n_experts", "log_score", "log_score_std_error"]].round(2)

# %% [markdown]
# *A test.* Twice the gain in log-likelihood does not follow a $\chi^2$ distribution, because under
# one expert the gate and the second line mean nothing. `bootstrap_lrt` simulates what the statistic
# does when the smaller model is true.

# %%
template = MoERegressor(n_init=1, random_state=0)
tests = {
    f"{K} against {K + 1}": bootstrap_lrt(
        X, y, n_experts=K, estimator=template, n_bootstrap=draws, n_jobs=2, random_state=0
    )
    for K, draws in ((1, 19), (2, 9))
}
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
for axis, (name, test) in zip(axes, tests.items(), strict=True):
    axis.hist(test.null, bins=8, color="0.8", label="if the smaller is true")
    axis.axvline(test.statistic, color="C3", label="on the data")
    axis.set(title=name, xlabel="twice the gain in log-likelihood", ylabel="simulated data sets")
axes[1].legend()
plt.show()
pd.DataFrame(
    {
        "statistic": {name: round(test.statistic, 3) for name, test in tests.items()},
        "rejected at 5 %": {name: test.p_value <= 0.05 for name, test in tests.items()},
    }
)

# %% [markdown]
# None of the simulated statistics reaches the one seen for one against two experts; for two against
# three the statistic is nothing out of the ordinary. Two it is.

# %%
moe = chosen.best_estimator_
ExpertsDisplay.from_estimator(moe, X, y)
plt.xlabel("length of the eruption (minutes)")
plt.ylabel("wait for the next one (minutes)")
plt.show()

# %% [markdown]
# ## Standard errors
#
# Three kinds: from the observed information (trusts the model), from the sandwich (does not), and
# from refits to 100 bootstrap samples, matched expert by expert.

# %%
found = {
    "observed": inference(moe, X, y),
    "sandwich": inference(moe, X, y, kind="sandwich"),
    "bootstrap": inference(moe, X, y, kind="bootstrap", n_bootstrap=100, random_state=0),
}
found["observed"].table.drop(columns=["z", "note"]).round(3)

# %%
fig, axes = plt.subplots(1, 3, figsize=(12.5, 2.6), sharex=True, layout="constrained")
for ax, (kind, result) in zip(axes, found.items(), strict=True):
    CoefficientDisplay.from_table(result.table, terms=["eruptions"], ax=ax)
    ax.set_xlabel(f"slope and 95 % interval: {kind}")
    ax.set_yticks([])
plt.show()

# %% [markdown]
# After a short eruption one more minute adds about 8 minutes of waiting, after a long one about 4. The
# three kinds agree on the size of the errors; the bootstrap's intervals are the widest and lopsided.
# Are the slopes different? `delta` takes any function of the parameters.


# %%
def slope_difference(p):
    return (
        p["expert", "expert 2", "slope", "eruptions"]
        - p["expert", "expert 1", "slope", "eruptions"]
    )


pd.concat({kind: result.delta(slope_difference) for kind, result in found.items()}).round(2)

# %% [markdown]
# Probably, but not surely: zero is just inside the first two intervals and well inside the
# bootstrap's.
#
# ## A coefficient that is badly known, and what it stands for
#
# The standard error of the gate's slope is nearly as large as the slope, and p is far from small. Does
# the gate not matter? It does. It is *steep*: the switch may be sharp or very sharp, and the data
# cannot tell, so the likelihood hardly changes for large slopes. Bootstrap intervals are lopsided
# for that reason. What the gate is there for, the length at which one expert takes over, is known
# well:


# %%
def switch(p):
    return (
        -p["gate", "expert 1", "intercept", "intercept"]
        / p["gate", "expert 1", "slope", "eruptions"]
    )


pd.concat(
    {
        "slope of the gate": pd.concat(
            {
                kind: result.gate.loc[("gate", "expert 1", "slope", "eruptions")]
                for kind, result in found.items()
            },
            axis=1,
        )
        .T[["estimate", "std_error", "low", "high"]]
        .astype(float),
        "switch (minutes)": pd.concat(
            {kind: result.delta(switch).iloc[0] for kind, result in found.items()}, axis=1
        ).T[["estimate", "std_error", "low", "high"]],
    }
).round(2)

# %% [markdown]
# ## Do 95 % intervals cover the truth in 95 % of all cases?
#
# With a known truth one can count: a hundred samples of 500 rows from the same two experts.

# %%
X_all, y_all, truth = make_moe(50_000, sharpness=3, random_state=0, return_params=True)
truth.summary().round(2)

# %%
slopes = np.array([float(expert.coef_[0]) for expert in truth.experts_])
scales = np.array([float(expert.scale_) for expert in truth.experts_])
counted = []
for sample in np.split(np.arange(50_000), 100):
    fit = MoERegressor(2, n_init=1, random_state=0).fit(X_all[sample], y_all[sample])
    table = inference(fit, X_all[sample], y_all[sample]).experts.reset_index()
    slope, scale = table[table.kind == "slope"], table[table.kind == "scale"]
    # Experts are ordered by their share, which is nearly a half: match them by their slopes.
    order = np.abs(slope.estimate.to_numpy() - slopes[:, None]).argmin(axis=1)
    counted.append([slope.iloc[order][["low", "high"]], scale.iloc[order][["low", "high"]]])
intervals = np.array(counted, dtype=float)  # sample, slope or scale, expert, low or high
true = np.stack([slopes, scales])
covered = (intervals[..., 0] < true) & (true < intervals[..., 1])
pd.DataFrame(covered.mean(axis=0), ["slope", "scale"], ["expert 1", "expert 2"]).round(2)

# %% [markdown]
# With 100 samples a coverage of 0.95 shows as anything between about 0.91 and 0.99. The forty first
# intervals for the slope of expert 1, those that miss the truth in red:

# %%
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for i, ((low, high), hit) in enumerate(zip(intervals[:40, 0, 0], covered[:40, 0, 0], strict=True)):
    ax.plot([i, i], [low, high], color="#0072B2" if hit else "#D55E00", linewidth=2 if hit else 3.5)
ax.axhline(slopes[0], color="black", linewidth=1)
ax.set(xlabel="sample", ylabel="slope of expert 1")
plt.show()
