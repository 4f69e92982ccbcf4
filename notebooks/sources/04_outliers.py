# %% [markdown]
# # What do a few wild points do to a mixture of regressions?
#
# A musician tuned a tone to the octave of another whose overtones were stretched. That can be heard
# in two ways: as the true octave (`tuned` = 2, whatever the stretch) or as the stretched overtone
# (`tuned` = `stretchratio`). So two lines are known to be there. We add points that lie on neither
# and ask which experts still find the two lines: with Gaussian, Laplace or Student-t noise.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from moe_classic import MoERegressor
from moe_classic.datasets import load_tone
from moe_classic.inspection import ExpertsDisplay

FAMILIES = {"gaussian": "Gaussian", "laplace": "Laplace", "student_t": "Student-t"}
X, y = load_tone(return_X_y=True, as_frame=True)


def fit(family, X, y):
    return MoERegressor(2, expert=family, random_state=0).fit(X, y)


def draw(data, ylim=(0.9, 4.7)):
    fig, axes = plt.subplots(1, 3, figsize=(12, 4.2), sharey=True, layout="constrained")
    for ax, (family, title) in zip(axes, FAMILIES.items(), strict=True):
        ExpertsDisplay.from_estimator(
            fit(family, *data), *data, coverage=None, ax=ax, mixture=False
        )
        ax.set(xlabel="stretch ratio", ylabel="", ylim=ylim)
        ax.annotate(f"{title} experts", (0.03, 0.96), xycoords="axes fraction", va="top", size=11)
    axes[0].set_ylabel("tuned ratio")
    plt.show()


# %% [markdown]
# ## Clean data
#
# All three find both lines.

# %%
draw((X, y))

# %% [markdown]
# ## Ten equal wild points
#
# The test that is usual in the literature: ten points at `stretchratio` = 0, `tuned` = 4 (Chamroukhi
# 2016). They lie far out to the left, where a line has a long lever.


# %%
def with_far_points(count):
    far = pd.DataFrame({"stretchratio": np.zeros(count), "tuned": np.full(count, 4.0)})
    rows = pd.concat([X.join(y), far], ignore_index=True)
    return rows[["stretchratio"]], rows.tuned


draw(with_far_points(10))

# %% [markdown]
# The Gaussian experts have given up: one of them serves the ten points and the other averages the
# two lines. The Laplace experts keep one line and lose the other, because large residuals cost
# them less, but a long lever still pulls. The t experts keep both.
#
# How many points does it take? We measure how far the fitted lines are from the two true ones, at
# worst between stretch ratios of 1.35 and 3; the larger of the two distances counts.

# %%
ends = pd.DataFrame({"stretchratio": [X.stretchratio.min(), X.stretchratio.max()]})
truth = np.column_stack([np.full(2, 2.0), ends.stretchratio])


def distance(moe):
    lines = moe.expert_predictions(ends)
    return min(np.abs(lines[:, order] - truth).max() for order in ([0, 1], [1, 0]))


counts = [0, 1, 2, 4, 6, 8, 10]
far = pd.DataFrame(
    {
        title: [distance(fit(family, *with_far_points(count))) for count in counts]
        for family, title in FAMILIES.items()
    },
    index=pd.Index(counts, name="far points"),
)
far.round(3)

# %% [markdown]
# ## Five per cent of slips
#
# Another disturbance: eight readings at stretch ratios within the range of the data, tuned to
# anything between 0 and 5.

# %%
rng = np.random.default_rng(0)
slips = pd.DataFrame(
    {"stretchratio": rng.uniform(*ends.stretchratio, 8), "tuned": rng.uniform(0, 5, 8)}
)
rows = pd.concat([X.join(y), slips], ignore_index=True)
slipped = rows[["stretchratio"]], rows.tuned
draw(slipped, ylim=(-0.2, 5.2))

# %%
pd.Series(
    {title: distance(fit(family, *slipped)) for family, title in FAMILIES.items()},
    name="distance from the true lines",
).round(3)

# %% [markdown]
# Against slips in the vertical direction Laplace experts are as good as t experts; against far
# points only the t experts hold.
#
# ## And without any wild points?
#
# Even then BIC (lower is better) prefers the t experts by far: the musician's readings have heavy
# tails of their own. The estimated degrees of freedom are at the smallest value that is allowed
# unless one asks for less, `df` = 2.

# %%
clean = {title: fit(family, X, y) for family, title in FAMILIES.items()}
pd.DataFrame(
    {
        "log-likelihood": {title: moe.log_likelihood_ for title, moe in clean.items()},
        "BIC": {title: moe.bic(X, y) for title, moe in clean.items()},
    }
).round(1)

# %%
clean["Student-t"].summary().round(3)
