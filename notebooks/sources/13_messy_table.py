# %% [markdown]
# # What does a dose do, in a table with text, gaps, and patients who come again?
#
# Hardly any table is a clean matrix of numbers. This one has text, a date, a flag with gaps, weights that
# nobody took, and six rows for every patient. We draw it ourselves, so that we know what should be found:
# patients are of three kinds, which respond to the dose, do not, or suffer from it, and the kind of a
# patient depends on age and sex.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold

from moe_classic import MoERegressor
from moe_classic.experts import GaussianExpert
from moe_classic.gates import MixedGate, SoftmaxGate
from moe_classic.inspection import marginal_effects
from moe_classic.metrics import get_scorer
from moe_classic.preprocessing import TableEncoder

SLOPES, LEVELS = np.array([3.0, 0.0, -2.0]), np.array([0.0, 0.5, 1.0])
CLINICS = {"Rome": 0.0, "Oslo": 0.6, "Lima": -0.4}


def draw(n_patients, seed):
    """A table of six visits a patient, what was measured, and the kind of each patient."""
    rng = np.random.default_rng(seed)
    age, woman = rng.uniform(20.0, 80.0, n_patients), rng.random(n_patients) < 0.5
    odds = np.column_stack([0.08 * (50.0 - age), 1.2 * woman, np.zeros(n_patients)])
    kind = (odds + rng.gumbel(size=odds.shape)).argmax(axis=1)
    weight = rng.normal(np.array([65.0, 75.0, 90.0])[kind], 8.0)
    row, days = np.repeat(np.arange(n_patients), 6), 28 * np.tile(range(6), n_patients)
    clinic = rng.choice(list(CLINICS), n_patients)[row]
    frame = pd.DataFrame(
        {
            "patient": [f"P{i:03d}" for i in row],
            "visit": pd.Timestamp("2024-01-08") + pd.to_timedelta(days, "D"),
            "clinic": clinic,
            "sex": np.where(woman, "f", "m")[row],
            "age": age[row].round(1),
            "weight": weight[row].round(1),
            "dose": rng.uniform(0.0, 2.0, 6 * n_patients).round(2),
            "fasting": pd.array(rng.random(6 * n_patients) < 0.5, dtype="boolean"),
        }
    )
    frame.loc[rng.random(len(frame)) < 0.25, "weight"] = np.nan
    frame.loc[rng.random(len(frame)) < 0.1, "fasting"] = pd.NA
    score = LEVELS[kind[row]] + SLOPES[kind[row]] * frame["dose"].to_numpy()
    fasting = frame["fasting"].fillna(value=False).to_numpy(float)
    score += pd.Series(clinic).map(CLINICS).to_numpy() + 0.4 * fasting
    return frame, score + 0.8 * rng.standard_normal(len(frame)), kind[row]


table, score, kind = draw(120, seed=0)
table.head(7)

# %% [markdown]
# ## What is refused, and how
#
# Given all of it, a fit says what it cannot use, and what to write instead, before any work.

# %%
for columns in (["visit", "dose"], ["weight", "dose"], ["patient", "dose"]):
    try:
        MoERegressor(3).fit(table[columns], score)
    except (TypeError, ValueError) as error:
        print(error, end="\n\n")

# %% [markdown]
# ## Everybody sees their own columns
#
# Nobody has to clean the whole table. The gate is given age and sex, where sex becomes a column `sex[m]` of
# zeros and ones. The experts are given dose, clinic and flag through a transformer of scikit-learn, in
# which gaps are filled and marked. The date and the weights stay in the table, and are not looked at.

# %%
seen = make_column_transformer(
    (TableEncoder(), ["clinic", "dose"]),
    (SimpleImputer(strategy="most_frequent", add_indicator=True), ["fasting"]),
    verbose_feature_names_out=False,
)
model = MoERegressor(
    3,
    expert=GaussianExpert(features=seen, alpha=1e-4),
    gate=SoftmaxGate(features=["age", "sex"]),
    random_state=0,
)
patient = table["patient"]
moe = model.fit(table, score, groups=patient)
moe.summary().round(2)

# %% [markdown]
# `groups=` is what counts most here: all rows of a patient are of one kind. How much that is worth is seen
# from the same model without it, which has to guess the kind of every visit by itself.

# %%


def agreement(found):
    """Share of the rows in their true kind, whatever the kinds are called."""
    counts = pd.crosstab(found, kind).to_numpy()
    return counts.max(axis=1).sum() / counts.sum()


alone = MoERegressor(3, expert=model.expert, gate=model.gate, random_state=0).fit(table, score)
by_patient = agreement(moe.responsibilities(table, score, groups=patient).argmax(axis=1))
by_visit = agreement(alone.responsibilities(table, score).argmax(axis=1))
print(f"in their kind: {by_patient:.3f} with groups, {by_visit:.3f} without")

# %% [markdown]
# ## Effects with their errors
#
# Standard errors count patients, not visits. Each row below is what a unit of dose does to the score of one
# kind of patient. The truth is 0, 3 and -2, and within three standard errors of what was found.

# %%
found = moe.inference(table, score, groups=patient)
doses = found.experts.xs("dose", level="term")
doses.round(3)

# %% [markdown]
# And what does a clinic do, on the average of all patients? Levels are compared with the first, here Lima, as
# the levels of text are in alphabetical order: Oslo should be 1.0 higher, Rome 0.4.

# %%
clinics = marginal_effects(moe, table, score, features=["clinic"], groups=patient)
clinics.round(3)

# %% [markdown]
# ## A known patient, and a new one
#
# Of a new patient the gate only knows age and sex. Of one who has come before, earlier visits tell more:
# `history=` has them. We hide the last two visits of a hundred new patients, and predict those from nothing,
# from one visit, from two, and so on.

# %%
late, truth, _ = draw(100, seed=1)
number = late.groupby("patient").cumcount().to_numpy()
last = number >= 4
errors = []
for visits in range(5):
    past = number < visits
    known = {}
    if visits:
        known = {"history": (late[past], truth[past], late["patient"][past])}
    told = moe.predict(late[last], groups=late["patient"][last], **known)
    errors.append(np.sqrt(np.mean((told - truth[last]) ** 2)))
fig, ax = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
ax.plot(range(5), errors, "o-", color="#0072B2")
ax.axhline(0.8, color="0.5", ls="--", lw=1)
ax.annotate("noise", (0, 0.8), va="top", ha="left", color="0.4")
ax.set(
    xlabel="visits that are known", ylabel="error of prediction", xticks=range(5), ylim=(0.0, None)
)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# One visit takes away most of what is not known; after three, noise is nearly all that is left.
#
# ## How many kinds?
#
# Folds must not tear patients apart, and the score must be one of patients. BIC, which counts patients, and
# the log score of held-out patients agree.

# %%
scorer, rows = get_scorer("log_score"), []
for n_experts in (1, 2, 3, 4):
    tried = MoERegressor(
        n_experts, expert=model.expert, gate=model.gate, n_init=4, random_state=0
    ).fit(table, score, groups=patient)
    held_out = []
    for train, test in GroupKFold(3).split(table, score, patient):
        fold = MoERegressor(
            n_experts, expert=model.expert, gate=model.gate, n_init=4, random_state=0
        ).fit(table.iloc[train], score[train], groups=patient.iloc[train])
        held_out.append(scorer(fold, table.iloc[test], score[test], groups=patient.iloc[test]))
    bic = tried.bic(table, score, groups=patient)
    rows.append({"kinds": n_experts, "BIC": bic, "log score of a patient": np.mean(held_out)})
choice = pd.DataFrame(rows).set_index("kinds")
choice.round(2)

# %% [markdown]
# ## Gaps that stay gaps
#
# Weight tells the kinds apart, but is missing in a quarter of the visits. A `MixedGate` describes each column
# by a density of its own, and leaves out of the product what is missing: nothing is filled in. It describes
# single rows, so we take the first visit of each patient, and explain the slope of the patient's score.

# %%
first = table.groupby("patient").first()
gone = table.groupby("patient")["weight"].nth(0).isna().to_numpy()
X = pd.DataFrame({"age": first["age"], "woman": (first["sex"] == "f").astype(float)})
X["weight"] = np.where(gone, np.nan, first["weight"].to_numpy())
centred = table["dose"] - table.groupby("patient")["dose"].transform("mean")
slope = (centred * score).groupby(patient).sum() / (centred**2).groupby(patient).sum()
flat = GaussianExpert(features=[])
described = MoERegressor(3, expert=flat, gate=MixedGate(), random_state=0).fit(X, slope)
print(described.gate_.families_)
means = pd.DataFrame(described.gate_.densities_["weight"], index=described.summary().columns)
means["slope"] = [float(e.intercept_) for e in described.experts_]
means.round(2)

# %% [markdown]
# The kinds have the weights that were drawn, 65, 75 and 90 kg, found from the three quarters that were
# taken. A new patient who was not weighed is no difficulty:

# %%
new = pd.DataFrame({"age": [35.0, 35.0], "woman": [0.0, 0.0], "weight": [90.0, np.nan]})
pd.DataFrame(described.gate_proba(new), index=["90 kg", "not weighed"]).round(2)
