# %% [markdown]
# # For which patients does a risk factor matter?
#
# The diabetes data that ship with scikit-learn: ten measurements of 442 patients, and a measure of
# how far the disease had progressed one year later. A single regression says how much each factor
# matters on average. A mixture of experts can say *for whom*.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.linear_model import lars_path
from sklearn.model_selection import KFold, cross_validate

from moe_classic import MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import SoftmaxGate
from moe_classic.inspection import GateDisplay, PartitionDisplay
from moe_classic.metrics import get_scorer

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
y = y.rename("progression")
X.describe().loc[["mean", "std", "min", "max"]].round(2)

# %% [markdown]
# Ten coefficients for each of several experts are many for 442 patients. Least angle regression on
# this very table is a textbook example (Efron, Hastie, Johnstone and Tibshirani 2004); we keep the
# first five variables that it lets in. `bmi` is the body mass index, `bp` the mean blood pressure,
# `s3` the HDL cholesterol and `s5` (roughly) the logarithm of the triglycerides in the blood. They
# are chosen on all rows, an advantage that all models below share.

# %%
Z = (X - X.mean()) / X.std()
_, entered, _ = lars_path(Z.to_numpy(), (y - y.mean()).to_numpy())
factors = list(X.columns[entered[:5]])
factors

# %% [markdown]
# ## Four models
#
# 1. one regression;
# 2. two regressions whose shares are the same for every patient;
# 3. two regressions and a gate that looks at `bmi` and `s5`;
# 4. *unlike* experts under the same gate: a regression, and one that ignores every factor.
#
# `features=` says what an expert or a gate sees; an empty list leaves the constant.

# %%
line, flat = GaussianExpert(features=factors), GaussianExpert(features=[])
gate = SoftmaxGate(features=["bmi", "s5"])
models = {
    "one regression": MoERegressor(1, expert=line),
    "two, no gate": MoERegressor(2, expert=line, gate="constant", random_state=0),
    "two, gate": MoERegressor(2, expert=line, gate=gate, random_state=0),
    "line and flat, gate": MoERegressor(
        2, expert=[("line", line), ("flat", flat)], gate=gate, random_state=0
    ),
}
folds = KFold(5, shuffle=True, random_state=0)
scoring = get_scorer(["log_score", "r2"])
rows = {}
for name, model in models.items():
    scores = cross_validate(model, X, y, cv=folds, scoring=scoring)
    model.fit(X, y)
    rows[name] = {
        "parameters": model.n_parameters_,
        "BIC": model.bic(X, y),
        "log score": scores["test_log_score"].mean(),
        "R2": scores["test_r2"].mean(),
    }
pd.DataFrame(rows).T.astype({"parameters": int}).round({"BIC": 1, "log score": 3, "R2": 3})

# %% [markdown]
# BIC (lower is better, all rows) and the log score (higher is better, rows held out by fivefold
# cross-validation) agree on the fourth model. $R^2$ hardly notices: the means are about the same.
# What the mixture buys is knowing how sure to be of whom.

# %%
moe = models["line and flat, gate"]
moe.summary().round(2)

# %% [markdown]
# The regression speaks for 73 % of the patients, with noise of 52 points. For the others there is
# nothing to regress: their progression is 73 give or take 21, whatever their sex, blood pressure or
# cholesterol. Who they are is written in the gate: the log odds of the regression rise by 0.17 with
# every unit of body mass index and by 2.2 with every unit of `s5`.

# %%
fig, axes = plt.subplots(1, 2, figsize=(11.5, 4.6), layout="constrained")
PartitionDisplay.from_estimator(moe, X, y, features=("bmi", "s5"), ax=axes[0])
GateDisplay.from_estimator(moe, X, feature="bmi", average=True, ax=axes[1])
plt.show()

# %% [markdown]
# Lean patients with low triglycerides tend to be flat ones. The gate is soft: the right panel,
# averaged over the patients' other values, shows how gradually one expert takes over from the other.
#
# ## Why this is worth having
#
# Order the patients by how much the gate trusts the regression, and cut them into thirds. In the
# lowest third the disease progressed little, and the observations scatter less around the
# prediction. The mixture's standard deviations follow; that of one regression, the same for
# everybody, is too large for the first third and too small for the others.

# %%
mean, std = moe.predict(X, return_std=True)
trust = pd.Series(moe.gate_proba(X)[:, 0], index=X.index)
third = pd.qcut(trust, 3, labels=["low", "middle", "high"])
single = models["one regression"]
table = pd.DataFrame(
    {
        "mean bmi": X.bmi.groupby(third, observed=True).mean(),
        "mean s5": X.s5.groupby(third, observed=True).mean(),
        "mean progression": y.groupby(third, observed=True).mean(),
        "scatter seen": (y - mean).groupby(third, observed=True).std(),
        "predicted": pd.Series(std).groupby(third, observed=True).mean(),
        "one regression": np.full(3, float(single.experts_[0].scale_)),
    }
).rename_axis("trust in the regression")
table.round(1)
