# %% [markdown]
# # Which lags matter in which regime?
#
# A mass on a spring rubs against a rail. As long as the friction holds, the contact behaves like a second,
# stiffer spring; once it slips, the friction is what it is, whatever the mass does. Such a system has a
# memory: the force depends on how the mass came to be where it is (*hysteresis*). One linear model of lagged
# signals is wrong everywhere. A mixture of experts has a linear model for each regime, and finds out which
# lags that model needs. Three ways to ask are set side by side: a lasso, the posterior under automatic
# relevance determination, and Sobol indices, after Baldacchino, Cross, Worden & Rowson (2016, *Mechanical
# Systems and Signal Processing* 66-67), who ask the last two of a mixture of experts.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from moe_classic import BayesianMoERegressor, MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.inspection import PathDisplay, SensitivityDisplay, sensitivity
from moe_classic.model_selection import path
from moe_classic.penalties import Lasso

SPRING, CONTACT, FRICTION = 1.0, 3.0, 1.0


def oscillator(n, *, noise=0.05, random_state=0):
    """Positions (n,), restoring forces (n,) and regimes (n,): -1 and 1 slip, 0 sticks."""
    rng = np.random.default_rng(random_state)
    push = np.repeat(1.6 * rng.standard_normal(n // 4 + 1), 4)[:n]
    steps, dt = 20, 0.35 / 20
    x = v = contact = 0.0
    rows = np.empty((n, 3))
    for i in range(n):
        top = FRICTION + noise * rng.standard_normal()  # the rail is not smooth
        for _ in range(steps):
            v += dt * (push[i] - 0.4 * v - SPRING * x - contact)
            x += dt * v
            jolt = noise / np.sqrt(steps) * rng.standard_normal()
            contact = np.clip(contact + CONTACT * dt * v + jolt, -top, top)
        slips = np.sign(contact) if abs(contact) >= top else 0.0
        rows[i] = x, SPRING * x + contact, slips
    return rows.T


x, force, regime = oscillator(503)
fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
left.plot(x[:120], linewidth=1.2)
left.set(xlabel="time step", ylabel="position")
for name, level, color in (("sticks", 0.0, "C0"), ("slips", 1.0, "C1"), ("slips back", -1.0, "C2")):
    here = regime == level
    right.plot(x[here], force[here], ".", color=color, markersize=4, label=name)
right.plot(x[:60], force[:60], color="0.7", linewidth=0.8, zorder=0)
right.set(xlabel="position", ylabel="restoring force")
right.legend(frameon=False)
plt.show()

# %% [markdown]
# The loops on the right are the hysteresis: at one position the force may have any value between two lines.
#
# We predict the force from what is known before: where the mass is, how far it moved in the last steps
# (`dx`), what the force was, and how that changed (`df`). By the laws above
#
# | regime | force | lags |
# |---|---|---|
# | sticks | $f_{t-1} + (1 + 3)\,\Delta x_t$ | `dx[t]`, `f[t-1]` |
# | slips | $x_t \pm 1$ | `x[t]` |
#
# and which of them rules is told by $f_{t-1} - x_{t-1} + 3\,\Delta x_t$, the friction that would be needed.

# %%
t = np.arange(3, len(x))
dx, df = np.diff(x, prepend=0.0), np.diff(force, prepend=0.0)
X = pd.DataFrame(
    {
        "x[t]": x[t],
        "dx[t]": dx[t],
        "dx[t-1]": dx[t - 1],
        "dx[t-2]": dx[t - 2],
        "f[t-1]": force[t - 1],
        "df[t-1]": df[t - 1],
        "df[t-2]": df[t - 2],
    }
)
y, truth = pd.Series(force[t], name="force"), regime[t]
single = MoERegressor(1).fit(X, y)
{
    "noise of one linear model": round(float(single.experts_[0].scale_), 3),
    "noise that is there": 0.05,
}

# %% [markdown]
# ## A lasso

# %%
lasso = MoERegressor(
    expert=GaussianExpert(penalty=Lasso()), gate=SoftmaxGate(penalty=Lasso()), random_state=0
)
found = path(X, y, estimator=lasso, n_experts=3, alphas=np.geomspace(1.0, 0.05, 10))
three = found.best_estimator_


def by_regime(experts):
    """Numbers of the experts that stick, slip, and slip back: by their intercepts."""
    order = np.argsort([float(np.ravel(e.intercept_)[0]) for e in experts])
    return {"sticks": order[1], "slips": order[2], "slips back": order[0]}


names = by_regime(three.experts_)
slopes = pd.DataFrame({r: three.experts_[k].coef_ for r, k in names.items()}, index=X.columns)
slopes.round(2)

# %%
PathDisplay.from_path(found, expert=int(names["sticks"]))
plt.show()

# %% [markdown]
# Its large slopes are those of the table above. A few small ones come in as well, as steps in which the
# contact lets go half-way belong to neither regime.
#
# Does the gate know when it slips, before the force is seen?

# %%
told = three.gate_proba(X).argmax(axis=1)
level = {names["sticks"]: 0.0, names["slips"]: 1.0, names["slips back"]: -1.0}
right_regime = float(np.mean([level[k] == r for k, r in zip(told, truth, strict=True)]))
round(right_regime, 2)

# %% [markdown]
# ## A posterior
#
# The Bayesian mixture begins with six experts, drops those that the evidence does not ask for, and shrinks
# every slope of every expert by a precision of its own. How many standard deviations is a slope from zero? These
# come from some hundred draws and are known to a tenth.

# %%
bayes = BayesianMoERegressor(6, random_state=0).fit(X, y)
table = bayes.summary().loc["expert"].xs("slope", level="kind")
regimes = {name: f"expert {k + 1}" for name, k in by_regime(bayes.experts_).items()}
posterior = pd.DataFrame(
    {name: (table["mean"] / table["sd"]).loc[expert] for name, expert in regimes.items()}
).loc[list(X.columns)]
posterior.round()

# %% [markdown]
# ## Sobol indices
#
# The two tables speak of regimes one by one. Sobol indices speak of the prediction as a whole, gate included:
# the first order is the share of its variance that a feature explains alone, the total adds what it does
# together with others, here above all choosing the regime.

# %%
indices = sensitivity(bayes, X, random_state=0)
SensitivityDisplay(result=indices).plot()
plt.show()

# %% [markdown]
# ## Side by side

# %%
side = pd.DataFrame(
    {
        "lasso, sticks": slopes["sticks"].round(2),
        "lasso, slips": slopes["slips"].round(2),
        "mean / sd, sticks": posterior["sticks"].round(),
        "mean / sd, slips": posterior["slips"].round(),
        "total index": indices.table["total"].round(3),
    }
)
side

# %% [markdown]
# All three name the same lags: position, last movement, last force. Only the first two can say *where*: the
# position rules while it slips, movement and last force while it sticks. The indices rank them by what they do
# to the prediction; they take features as independent, which a movement and the change of a force are not, so
# they also average over states that the system never visits. And only the posterior says how sure it is.
