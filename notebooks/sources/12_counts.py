# %% [markdown]
# # Do counts vary too much, or are there two kinds of patients?
#
# Counts of seizures, of fish in a haul, of eggs in a nest nearly always vary more than Poisson's law
# allows. The surplus has several possible causes, and they are not the same news. Each patient may have
# a rate of its own (*over-dispersion*); some may be cured and have no seizures at all (*extra zeros*);
# or a drug may help some and do nothing for the rest (*mixing*). `make_counts` draws trials of which we
# know the cause.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import clone

from moe_classic import MoERegressor
from moe_classic.datasets import make_counts
from moe_classic.experts import NegativeBinomialExpert, PoissonExpert, ZeroInflatedExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.inspection import CalibrationDisplay
from moe_classic.metrics import pit_values

CAUSES = ["none", "spread", "zeros", "kinds"]
trials = {cause: make_counts(600, cause=cause, random_state=0) for cause in CAUSES}
pd.DataFrame(
    {
        cause: {
            "mean": y.mean(),
            "variance / mean": y.var() / y.mean(),
            "zeros": (y == 0).mean(),
            "zeros by Poisson": np.exp(-y.mean()),
        }
        for cause, (_, y) in trials.items()
    }
).T.round(2)

# %% [markdown]
# All four vary more than their mean, the first as well: weeks of observation, severity and dose differ.
# Nor are many zeros a sign of a reason of their own, as the second has them too. Such figures say that
# something is missing, not what.
#
# ## Four explanations, four trials
#
# Each model below is right about one of the trials. The weeks of observation are an exposure in all.

# %%
WEEKS = {"exposure": "Weeks"}
ALL = WEEKS | {"features": ["Age", "Severity", "Dose"]}
models = {
    "Poisson": MoERegressor(1, expert=PoissonExpert(**ALL)),
    "negative binomial": MoERegressor(1, expert=NegativeBinomialExpert(**ALL)),
    "zero-inflated": MoERegressor(
        1, expert=ZeroInflatedExpert(PoissonExpert(**ALL), features=["Age"])
    ),
    "two kinds": MoERegressor(
        2,
        expert=PoissonExpert(**WEEKS, features=["Severity", "Dose"]),
        gate=SoftmaxGate(features=["Age"]),
        random_state=0,
    ),
}
bic = pd.DataFrame({c: {m: models[m].fit(*t).bic(*t) for m in models} for c, t in trials.items()})
bic.sub(bic.min()).round(0).astype(int)

# %% [markdown]
# Columns are trials, and zero is the best model of each: BIC finds the cause of all four. Second places
# are worth a look. Two kinds of patients come close to extra zeros, as one kind may have next to none,
# and are far better than nothing where each patient has a rate of its own: two points are a coarse
# spread. The negative binomial takes half of what is wrong with the last two trials, and would have been
# taken for the answer, had the others not been tried.
#
# ## Where they are wrong
#
# Of the trial with two kinds we look at counts one by one. In a *hanging rootogram* bars hang from the
# expected frequencies, on the scale of square roots; a bar that does not reach the ground, or goes below
# it, is a count that came too rarely or too often.

# %%
X, y = trials["kinds"]
for moe in models.values():
    moe.fit(X, y)
counts = np.arange(31)
observed = np.bincount(y, minlength=31)[:31]
expected = {
    name: np.diff([moe.predict_cdf(X, np.full(len(y), j)).sum() for j in counts], prepend=0.0)
    for name, moe in models.items()
}
fig, axes = plt.subplots(1, 4, figsize=(12, 3.3), sharey=True, layout="constrained")
for ax, (name, e) in zip(axes, expected.items(), strict=True):
    top = np.sqrt(e)
    ax.bar(counts, np.sqrt(observed), bottom=top - np.sqrt(observed), color="#56B4E9", width=0.8)
    ax.plot(counts, top, color="#D55E00", lw=2)
    ax.axhline(0.0, color="0.3", lw=1)
    ax.set(title=name, xlabel="seizures")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("square root of frequency")
plt.show()

# %% [markdown]
# The Poisson model expects a fifth of the zeros that came, and too many of the counts after them. The
# negative binomial has the same faults, but small ones; zero inflation mends the zeros, and is then short
# of ones. Yet a rootogram pools the patients, and errors of unlike ones may cancel. The *probability
# integral transform* does not pool: it is, for each patient, the probability of fewer seizures under the
# model, and a random share of that of as many. It is uniform if the model is right; here it is taken of
# new patients.

# %%
X_new, y_new = make_counts(600, cause="kinds", random_state=1)
fig, axes = plt.subplots(1, 4, figsize=(12, 3.4), sharey=True, layout="constrained")
uniform = {}
for ax, (name, moe) in zip(axes, models.items(), strict=True):
    CalibrationDisplay.from_estimator(moe, X_new, y_new, ax=ax, bins=15)
    ax.get_legend().remove()
    ax.set_title(name)
    ax.label_outer()
    pit = pit_values(moe, X_new, y_new, random_state=0)
    uniform[name] = stats.kstest(pit, "uniform").pvalue
axes[0].set_ylim(0.0, 4.5)
plt.show()
pd.Series(uniform, name="p of a uniform distribution").map("{:.0e}".format)

# %% [markdown]
# ## What is different about two kinds
#
# One line has one slope: the drug helps everybody a little. Two kinds say that it helps some a lot, the
# others not at all, and who they are. Put in were slopes of -1.1 and 0 for 100 mg, and a share of those
# whom it helps that falls with age.

# %%
kinds, single = models["two kinds"], models["negative binomial"]
slopes = pd.concat(
    {
        "negative binomial": single.inference(X, y).experts,
        "two kinds": kinds.inference(X, y).experts,
    }
)
slopes = slopes[slopes.index.get_level_values("term") == "Dose"][["estimate", "low", "high"]]
slopes.droplevel(["kind", "term"]).round(2)

# %%
helped = int(np.argmin([e.coef_[1] for e in kinds.experts_]))
ages = X.iloc[:58].assign(Age=np.arange(18.0, 76.0))
share = kinds.gate_proba(ages)[:, helped]
true_share = 1.0 / (1.0 + np.exp(-0.07 * (45.0 - ages.Age)))
doses = pd.DataFrame({"Weeks": 10.0, "Age": 45.0, "Severity": 0.0, "Dose": np.linspace(0, 3, 50)})
lines = kinds.expert_predictions(doses)
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for k, color in enumerate(["#0072B2", "#D55E00"]):
    name = "helped" if k == helped else "not helped"
    axes[0].plot(100 * doses.Dose, lines[:, k], color=color, lw=2, label=name)
axes[0].plot(100 * doses.Dose, single.predict(doses), color="0.5", ls="--", label="one line")
axes[0].set(xlabel="dose (mg)", ylabel="seizures in ten weeks", ylim=(0, None))
axes[1].plot(ages.Age, share, color=["#0072B2", "#D55E00"][helped], lw=2, label="found")
axes[1].plot(ages.Age, true_share, color="0.5", ls="--", label="put in")
axes[1].set(xlabel="age", ylabel="probability that the drug helps", ylim=(0, 1))
for ax in axes:
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Are the kinds over-dispersed themselves? Experts may have both: two negative binomial experts on each
# trial say how much spread is left within the kinds. Where there are two kinds, next to none; where each
# patient has a rate of its own, splitting it does not make it go away, and BIC prefers one expert.

# %%
both = MoERegressor(
    2,
    expert=NegativeBinomialExpert(**WEEKS, features=["Severity", "Dose"]),
    gate=SoftmaxGate(features=["Age"]),
    random_state=0,
)
left = {}
for cause in ["spread", "kinds"]:
    both.fit(*trials[cause])
    left[cause] = {
        "largest dispersion": max(e.dispersion_ for e in both.experts_),
        "BIC above the best": both.bic(*trials[cause]) - bic[cause].min(),
    }
pd.DataFrame(left).T.round(2)

# %% [markdown]
# ## How many patients does it take?
#
# Two lines pass close to most of a handful of patients, whatever is true, and BIC, which counts on many
# rows, is taken in. How often each cause is found, in ten trials, each fit from two starts:

# %%
rivals, found = ["negative binomial", "two kinds"], {}
for n in [15, 40, 100]:
    for cause, right in zip(["spread", "kinds"], rivals, strict=True):
        chosen = []
        for seed in range(10):
            trial = make_counts(n, cause=cause, random_state=100 + seed)
            fits = {m: clone(models[m]).set_params(n_init=2).fit(*trial) for m in rivals}
            chosen.append(min(rivals, key=lambda m: fits[m].bic(*trial)))
        found[n, cause] = chosen.count(right)
pd.Series(found, name="of 10").unstack()

# %% [markdown]
# With forty patients both causes are found. What helps is that the drug divides the kinds so clearly and
# that ten weeks show many seizures; where all counts are 0, 1 or 2, no number of patients that one could
# recruit tells a spread from kinds.
