# %% [markdown]
# # What will the claims of next year cost?
#
# A motor insurer knows its policies and the claims that were made on them. How often claims come and
# what they cost are two questions: *frequency*, counts in a time at risk, and *severity*, amounts with
# a heavy tail, of which those below the deductible are never heard of. Both have kinds that no column
# tells apart: hasty drivers and careful ones, everyday losses and large ones. The policies are
# generated in the form of the French tables freMTPL2, so that we know what was put in.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from moe_classic import MoERegressor
from moe_classic.datasets import make_policies
from moe_classic.experts import (
    LognormalExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    TruncatedExpert,
    ZeroInflatedExpert,
)
from moe_classic.gates import SoftmaxGate

DEDUCTIBLE = 500.0
policies, claims = make_policies(6000, deductible=DEDUCTIBLE, random_state=0)
X, n_claims = policies.drop(columns="ClaimNb"), policies.ClaimNb
policies.head()

# %% [markdown]
# ## How often
#
# `exposure="Exposure"` names the column of years at risk: means are proportional to it, and it is no
# feature. We compare one Poisson regression with counts that vary more (negative binomial), with zeros
# that have a reason of their own (zero inflation), and with two kinds of drivers, whose shares depend on
# age and on the record.

# %%
known = {"exposure": "Exposure", "features": ["VehPower", "DrivAge", "BonusMalus"]}
two_kinds = MoERegressor(
    2,
    expert=PoissonExpert(exposure="Exposure", features=["VehPower"]),
    gate=SoftmaxGate(features=["DrivAge", "BonusMalus"]),
    n_init=5,
    random_state=0,
)
frequency = {
    "Poisson": MoERegressor(1, expert=PoissonExpert(**known)),
    "negative binomial": MoERegressor(1, expert=NegativeBinomialExpert(**known)),
    "zero-inflated Poisson": MoERegressor(
        1, expert=ZeroInflatedExpert(PoissonExpert(**known), features=["DrivAge", "BonusMalus"])
    ),
    "two kinds of drivers": two_kinds,
}
for moe in frequency.values():
    moe.fit(X, n_claims)
pd.DataFrame(
    {
        "log-likelihood": [moe.log_likelihood_ for moe in frequency.values()],
        "parameters": [moe.n_parameters_ for moe in frequency.values()],
        "BIC": [moe.bic(X, n_claims) for moe in frequency.values()],
    },
    index=list(frequency),
).round(1)

# %% [markdown]
# A single Poisson regression is far behind: counts vary more than it says. Likelihood alone would choose
# two kinds of drivers; by BIC they and the negative binomial are as good as each other, as an
# unobserved kind is over-dispersion seen from afar. The two kinds say more: how many times the claims
# of a careful driver a hasty one has, and who is likely to be which. Six times the losses were put in.

# %%
rates = np.array(
    [np.exp(e.intercept_ + e.coef_[0] * X.VehPower.mean()) for e in two_kinds.experts_]
)
careful, hasty = np.argsort(rates)
share = two_kinds.gate_proba(X)[:, hasty]
ratio = float(rates[hasty] / rates[careful])
round(ratio, 1), rates.round(2)

# %%
fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
points = ax.scatter(
    X.DrivAge, share, c=X.BonusMalus, s=6, cmap="viridis", linewidths=0, rasterized=True
)
fig.colorbar(points, label="BonusMalus")
ax.set(xlabel="age of the driver", ylabel="probability of the hasty kind", ylim=(0, 1))
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## How much
#
# Losses below the deductible are not in the table. A density that does not know that puts weight where
# nothing can be, and bends to make up for it. `TruncatedExpert(LognormalExpert(), low=500)` divides each
# density by its probability above the deductible; two of them are for everyday and for large losses.

# %%
Z, loss = claims[["VehPower"]], claims.Loss
plain = LognormalExpert(features=[])
cut = TruncatedExpert(plain, low=DEDUCTIBLE)
severity = {
    "one, deductible ignored": MoERegressor(1, expert=plain),
    "two, deductible ignored": MoERegressor(2, expert=plain, n_init=5, random_state=0),
    "one, truncated": MoERegressor(1, expert=cut),
    "two, truncated": MoERegressor(2, expert=cut, n_init=5, random_state=0),
}
for moe in severity.values():
    moe.fit(Z, loss)
pd.DataFrame(
    {
        "log-likelihood": [moe.log_likelihood_ for moe in severity.values()],
        "BIC": [moe.bic(Z, loss) for moe in severity.values()],
        "99 % quantile": [moe.predict_quantile(Z, 0.99).mean() for moe in severity.values()],
    },
    index=list(severity),
).round(0)

# %% [markdown]
# What was put in are lognormal losses with location 6.9 and scale 0.5, and with 8.4 and 1.1. Two
# truncated experts find both, although many of the everyday ones are not seen; those that ignore the
# deductible take both for narrower than they are.

# %%
kinds = {
    name: [(round(e.intercept_, 2), round(e.scale_, 2)) for e in severity[name].experts_]
    for name in ("two, truncated", "two, deductible ignored")
}
kinds

# %% [markdown]
# Quantile residuals are standard normal under the right model, whatever the family.

# %%
fig, axes = plt.subplots(1, 4, figsize=(12, 3.2), sharey=True, layout="constrained")
grid = np.linspace(-3.3, 3.3, 2)
for ax, (name, moe) in zip(axes, severity.items(), strict=True):
    residuals = np.sort(moe.residuals(Z, loss))
    normal = np.sort(np.random.default_rng(0).standard_normal((200, len(loss))), axis=1).mean(
        axis=0
    )
    ax.plot(grid, grid, color="0.7", lw=1)
    ax.plot(normal, residuals, ".", ms=3, color="#0072B2")
    ax.set(title=name, xlabel="normal quantile", xlim=(-3.5, 3.5), ylim=(-5, 5))
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("quantile residual")
plt.show()

# %% [markdown]
# ## The premium, by simulation
#
# Next year's policies are those of today for a full year. Claims are drawn from the frequency, each
# loss from the severity, and the insurer pays what exceeds the deductible. The mean over a thousand years
# is the pure premium; what it costs in a bad year is what capital must be there for.

# %%
policies_next = X.assign(Exposure=1.0)
best, amounts = two_kinds, severity["two, truncated"]
counts = best.sample(policies_next, 1000, random_state=0).astype(int)
rng = np.random.default_rng(0)
drawn = amounts.sample(policies_next[["VehPower"]], 300, random_state=1) - DEDUCTIBLE
years = np.zeros(counts.shape[1])
for year in range(years.size):
    policy = np.repeat(np.arange(len(X)), counts[:, year])
    years[year] = drawn[policy, rng.integers(300, size=policy.size)].sum()
premium = best.predict(policies_next) * (amounts.predict(policies_next[["VehPower"]]) - DEDUCTIBLE)
bad = float(np.quantile(years, 0.995))
expected = float(premium.sum())
pd.Series({"expected": expected, "mean of 1000 years": years.mean(), "one year in 200": bad}).mul(
    1e-6
).round(2)

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
axes[0].hist(years / 1e6, bins=40, color="#56B4E9")
axes[0].axvline(expected / 1e6, color="#0072B2", label="expected")
axes[0].axvline(bad / 1e6, color="#D55E00", ls="--", label="one year in 200")
axes[0].legend(frameon=False, loc="upper left")
axes[0].set(xlabel="paid in a year (million euros)", ylabel="years")
axes[1].hist(premium, bins=60, color="#56B4E9")
axes[1].set(xlabel="pure premium of a policy (euros)", ylabel="policies")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Premiums of single policies differ about tenfold. Age and record do most of it: the gate turns them
# into odds of the hasty kind; and powerful cars have losses of the large kind more often.
