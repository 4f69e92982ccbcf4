# %% [markdown]
# # From a frame to a report in twenty lines?
#
# 442 patients with diabetes: their sex, body mass index (`bmi`), mean blood pressure (`bp`) and the
# logarithm of their triglycerides (`s5`), and how far the disease had progressed a year later. One
# regression says what each measurement does on average. Is there a group of patients for whom it
# does something else, who are they, and how sure is that? Below are the twenty lines that take one
# from the frame to a page for a colleague.

# %%
import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes

from moe_classic import MoERegressor
from moe_classic import inspection as look

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X = X[["sex", "bmi", "bp", "s5"]]
fits = {K: MoERegressor(K, random_state=0).fit(X, y) for K in (1, 2, 3)}
{K: round(moe.bic(X, y), 1) for K, moe in fits.items()}

# %% [markdown]
# Two groups, then: BIC falls by more than twenty from one to two, and rises again with a third. The
# page of estimates reads as that of a regression would, one block an expert and one for the gate.

# %%
moe = fits[2]
found = moe.inference(X, y)
print(found.summary())

# %% [markdown]
# In the first group the disease progresses with weight and blood pressure, in the second it hardly
# depends on either. That is a claim about differences between coefficients, and those are tested
# together: `absent` asks whether a feature matters to no expert, `equal` whether it matters to both
# alike.

# %%
found.wald_test_terms().round(4)

# %% [markdown]
# `bmi` matters, and not to both alike; of `sex` neither can be said. Who is in which group, the gate
# knows before the outcome is seen, and it looks at `bmi` above all. What a unit more of a feature
# does to the prediction on average - through experts *and* gate - has standard errors of its own,
# by the delta method; of a feature with two values it is the step from one to the other.

# %%
look.marginal_effects(moe, X, y).round(3)

# %% [markdown]
# The same in pictures. Estimates are those for a standard deviation of each feature, as the units
# differ. `sex` has two values, and so has points instead of lines. Residuals are normal under the
# right model, whatever its family, and the worm should lie within its band; here a few patients at
# its left end touch the border.

# %%
figure, axes = plt.subplots(1, 3, figsize=(13.0, 3.8), layout="constrained")
look.CoefficientDisplay.from_inference(found, X, ax=axes[0])
look.ExpertsDisplay.from_estimator(moe, X, y, feature="sex", average=True, ax=axes[1])
look.ResidualDisplay.from_estimator(moe, X, y, kind="worm", ax=axes[2])
plt.show()

# %% [markdown]
# And all of it, with pictures along the features that tell most, the rows that move the fit most and
# what there was to warn about, on one page without scripts: `page.save("report.html")` writes it, to
# be sent by mail.

# %%
page = look.report(moe, X, y, title="Progression of diabetes")
page.html.count("<img"), page.warnings

# %% [markdown]
# What to keep in mind: the groups were found in the same rows on which they are tested, so that the
# p-values hold given that there are two groups. Whether there are is a question for
# `bootstrap_lrt`.
