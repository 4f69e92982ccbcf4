# %% [markdown]
# # What is in the zoo?
#
# The systems of the literature that the package covers, in one line each, with their sources, fitted to
# data. The lines are what matters; the numbers and pictures show that they work. To keep it short all are
# fitted from three starts. The page *The zoo* of the documentation has the full references.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier

from moe_classic import (
    HardMoEClassifier,
    HardMoERegressor,
    HierarchicalMoEClassifier,
    HierarchicalMoERegressor,
    MetaPiClassifier,
    MoEClassifier,
    MoERegressor,
)
from moe_classic.datasets import load_motorcycle, make_speakers, make_vowels
from moe_classic.experts import (
    EstimatorExpert,
    GaussianExpert,
    MultinomialExpert,
)
from moe_classic.gates import EstimatorGate, SoftmaxGate
from moe_classic.solvers import EM, SGD

pd.set_option("display.max_colwidth", None)
zoo = {}

# %% [markdown]
# ## Regressions
#
# The data are the head accelerations of the quickstart: one feature, so that everything can be seen.
#
# ### What the experts and the gate are

# %%
zoo["Mixture of regressions", "Quandt & Ramsey 1978; De Veaux 1989"] = MoERegressor(
    2, gate="constant"
)
zoo["Local experts that are constants", "Jacobs, Jordan, Nowlan & Hinton 1991"] = MoERegressor(
    8, expert=GaussianExpert(features=[])
)
zoo["Linear experts, softmax gate", "Jordan & Jacobs 1994"] = MoERegressor(4)
zoo["Gaussian gate", "Xu, Jordan & Hinton 1995"] = MoERegressor(4, gate="gaussian")
zoo["Gated experts with curves", "Weigend, Mangeas & Srivastava 1995"] = MoERegressor(
    3, expert=GaussianExpert(features=SplineTransformer(4), alpha=1e-4)
)
zoo["Polynomials, hidden logistic process", "Chamroukhi, Samé, Govaert & Aknin 2009"] = (
    MoERegressor(4, expert=GaussianExpert(features=PolynomialFeatures(2, include_bias=False)))
)
zoo["Laplace experts", "Nguyen & McLachlan 2016"] = MoERegressor(4, expert="laplace")
zoo["Student-t experts", "Chamroukhi 2016"] = MoERegressor(4, expert="student_t")

# %% [markdown]
# ### Trees

# %%
zoo["Hierarchical mixture", "Jordan & Jacobs 1994"] = HierarchicalMoERegressor((2, 2))
zoo["Hierarchical mixture, least squares first", "Jordan & Jacobs 1994"] = HierarchicalMoERegressor(
    (2, 2), least_squares_iter=5
)
zoo["Tree that grows", "Waterhouse & Robinson 1996; Fritsch, Finke & Waibel 1997"] = (
    HierarchicalMoERegressor("grow", max_leaves=6)
)

# %% [markdown]
# ### How they are trained

# %%
zoo["Classification EM", "Celeux & Govaert 1992"] = MoERegressor(4, solver=EM(assignment="hard"))
zoo["Stochastic EM", "Celeux & Diebolt 1985"] = MoERegressor(4, solver=EM(assignment="stochastic"))
zoo["Deterministic annealing", "Ueda & Nakano 1998"] = MoERegressor(4, solver=EM(annealing=0.5))
zoo["Extrapolated EM", "Varadhan & Roland 2008"] = MoERegressor(4, solver="squarem")
zoo["Newton, with Louis' observed information", "Louis 1982; Chen, Xu & Chi 1999"] = MoERegressor(
    4, solver="newton"
)
zoo["Error of the blend", "Jacobs et al. 1991, E1"] = MoERegressor(
    4, solver=SGD(error="cooperative"), tol=1e-2
)
zoo["Error of an expert drawn by the gate", "Jacobs et al. 1991, E2"] = MoERegressor(
    4, solver=SGD(error="competitive"), tol=1e-2
)
zoo["Likelihood with unit noise", "Jacobs et al. 1991, E3"] = MoERegressor(
    4, solver=SGD(error="unit_likelihood"), tol=2e-2
)

# %% [markdown]
# ### Experts that are anything

# %%
zoo["Any experts, any gate", "Jacobs et al. 1991; Jordan & Jacobs 1994"] = MoERegressor(
    3,
    expert=EstimatorExpert(SVR(C=100)),
    gate=EstimatorGate(DecisionTreeClassifier(max_depth=3)),
    tol=1e-2,
)
zoo["Hard mixture of SVMs", "Collobert, Bengio & Bengio 2002"] = HardMoERegressor(3)

# %%
X, y = load_motorcycle(return_X_y=True, as_frame=True)


def fit(zoo, X, y, n_init=3):
    for model in zoo.values():
        starts = {"n_init": n_init} if "n_init" in model.get_params() else {}
        model.set_params(random_state=0, **starts).fit(X, y)


fit(zoo, X, y)
pd.DataFrame(
    [
        {
            "system": system,
            "source": source,
            "R2": model.score(X, y),
            "log-likelihood": getattr(model, "log_likelihood_", np.nan),
        }
        for (system, source), model in zoo.items()
    ]
).round(2)

# %% [markdown]
# A hard mixture has no likelihood, and what is trained on one of the error functions $E_1$ to $E_3$ has a poor
# one: they know nothing of unequal noise. What each makes of the data: the mean (thick), the experts
# (thin), the readings (dots). The mixture of regressions is the one that cannot know where it is.

# %%
fig, axes = plt.subplots(7, 3, figsize=(11, 16), sharex=True, sharey=True, layout="constrained")
grid = pd.DataFrame({"times": np.linspace(X.times.min(), X.times.max(), 200)})
for ax, ((system, _), model) in zip(axes.flat, zoo.items(), strict=True):
    ax.scatter(X.times, y, s=4, color="#999999")
    ax.plot(grid.times, model.expert_predictions(grid), linewidth=0.8, color="#0072B2", alpha=0.6)
    ax.plot(grid.times, model.predict(grid), linewidth=1.8, color="#D55E00")
    ax.set_title(system, fontsize="medium")
    ax.set_ylim(-160, 100)
fig.supxlabel("time after the impact (ms)", fontsize="medium")
fig.supylabel("acceleration (g)", fontsize="medium")
plt.show()

# %% [markdown]
# ## Learning from a stream
#
# The same estimators learn row by row or batch by batch. Twenty passes of on-line EM end where batch EM
# does, nearly; the tree has its own recursion.

# %%
rows = np.random.default_rng(0).permutation(len(X))
online = MoERegressor(4, random_state=0)  # Cappé & Moulines 2009
for _ in range(20):
    for batch in np.array_split(rows, 3):
        online.partial_fit(X.iloc[batch], y.iloc[batch])

recursive = HierarchicalMoERegressor((2, 2), random_state=0)  # Jordan & Jacobs 1994, appendix B
recursive.learn_recursively(X.iloc[rows], y.iloc[rows])
{
    "on-line EM": round(online.log_likelihood(X, y), 1),
    "batch EM": round(
        zoo["Linear experts, softmax gate", "Jordan & Jacobs 1994"].log_likelihood_, 1
    ),
}

# %% [markdown]
# ## Classes
#
# Ten vowels, spoken by men, women and children; the formants `F1`, `F2`, `F3` tell the vowel, and the
# pitch `F0` something about the speaker. Thirty speakers to learn from, 46 to be tested on.

# %%
classifiers = {}
classifiers["Multinomial experts", "Jordan & Jacobs 1994; Chen, Xu & Chi 1999"] = MoEClassifier(3)
classifiers["Gaussian gate over classifiers", "Xu, Jordan & Hinton 1995"] = MoEClassifier(
    3, gate="gaussian"
)
classifiers["Competing experts, gate hears the pitch", "Nowlan & Hinton 1991"] = MoEClassifier(
    3, expert=MultinomialExpert(features=["F1", "F2", "F3"]), gate=SoftmaxGate(features=["F0"])
)
classifiers["Hierarchical mixture of classifiers", "Waterhouse & Robinson 1994"] = (
    HierarchicalMoEClassifier((2, 2))
)
classifiers["Hard mixture of SVMs", "Collobert, Bengio & Bengio 2002"] = HardMoEClassifier(4)

vowels = make_vowels(random_state=0)
V = pd.DataFrame(vowels.data, columns=vowels.feature_names)
said = vowels.target_names[vowels.target]
known = np.isin(vowels.speakers, np.random.default_rng(0).permutation(76)[:30])
fit(classifiers, V[known], said[known], n_init=2)
pd.DataFrame(
    [
        {
            "system": system,
            "source": source,
            "test accuracy (%)": 100 * model.score(V[~known], said[~known]),
            "starts at the best": (
                f"{(model.start_report_.optimum == 1).sum()} of {model.n_init}"
                if hasattr(model, "start_report_")
                else "-"
            ),
        }
        for (system, source), model in classifiers.items()
    ]
).round(0)

# %% [markdown]
# Ten classes in three or four regions can nearly be separated, and the likelihood has a great many hills of
# nearly the same height. Mostly every start ends on one of its own, as `start_report_` says; which of them
# is the better of two hangs on how the processor rounds, and with it the accuracy, by a per cent or two.
# Hard mixtures differ by more. For a model to keep one would take more starts than two.

# %% [markdown]
# ## Several sources
#
# Experts trained each on its own speaker, and a gate that blends them without being told who speaks.

# %%
blends = {}
blends["Meta-Pi", "Hampshire & Waibel 1992"] = MetaPiClassifier(
    LogisticRegression(), gate="sigmoid"
)
blends["Stacking", "Wolpert 1992; Breiman 1996"] = MetaPiClassifier(
    LogisticRegression(), gate="constant"
)

S, heard, speaker = make_speakers(1800, random_state=0)
S_new, heard_new, _ = make_speakers(1800, random_state=1)
for model in blends.values():
    model.set_params(random_state=0).fit(S, heard, sources=speaker)
pd.DataFrame(
    [
        {
            "system": system,
            "source": source,
            "test accuracy (%)": 100 * model.score(S_new, heard_new),
        }
        for (system, source), model in blends.items()
    ]
).round(1)
