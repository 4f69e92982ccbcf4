# %% [markdown]
# # Which expert reads which part of a digit?
#
# An image is cut into patches, and every patch is a row of its own: patches of one image may go to
# different experts. We compare three ways to send them, look at what the experts became, and turn a
# perceptron that is already trained into a mixture that begins with the same predictions.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from moe_classic import SparseMoEClassifier, upcycle
from moe_classic.inspection import LoadDisplay, RoutingDisplay
from moe_classic.routers import ExpertChoiceRouter, Patches, RoutingWarning, SoftRouter, TopKRouter

warnings.simplefilter("ignore", ConvergenceWarning)
warnings.simplefilter("ignore", RoutingWarning)

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=600, random_state=0, stratify=y)
tokens = Patches((8, 8), 4)
tokens.cut(X).shape

# %% [markdown]
# ## Three routers
#
# - *Top 2*: every patch takes its two best experts.
# - *Expert choice*: every expert takes its best patches of the image, as many from each image.
# - *Soft*: experts see mixtures of the patches of the image, and patches mixtures of what they say.

# %%
routers = {
    "top 2": TopKRouter(2),
    "expert choice": ExpertChoiceRouter(2.0),
    "soft": SoftRouter(2),
}
nets = {
    name: SparseMoEClassifier(
        8, router=router, tokens=tokens, n_layers=2, expert_width=32, max_iter=20, random_state=0
    ).fit(X, y)
    for name, router in routers.items()
}
accuracy = {name: round(100 * net.score(X_test, y_test), 1) for name, net in nets.items()}
pd.Series(accuracy, name="accuracy (%)").to_frame()

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
LoadDisplay.from_estimator(nets["top 2"], ax=axes[0])
RoutingDisplay.from_estimator(nets["top 2"], X_test, y=y_test, layer=-1, ax=axes[1])
plt.show()

# %% [markdown]
# Nobody told the experts what a digit is; some digits use some experts more. An image alone is read as
# it is among others, for all three: what competes are the patches of one image.

# %%
alone = np.concatenate([nets["soft"].predict_proba(X_test[i : i + 1]) for i in range(20)])
bool(np.allclose(alone, nets["soft"].predict_proba(X_test)[:20], atol=1e-10))

# %% [markdown]
# ## A perceptron becomes a mixture
#
# `upcycle` copies a trained perceptron into every expert. As the weights of a row sum to one, nothing
# changes in what is predicted; then training goes on, and every copy sees other rows.

# %%
mlp = MLPClassifier(hidden_layer_sizes=(16,), max_iter=60, random_state=0).fit(X / 16, y)
moe = upcycle(mlp, 8, router="mixtral", random_state=0, max_iter=60)
before = moe.predict_proba(X_test / 16)
same = float(np.abs(before - mlp.predict_proba(X_test / 16)).max())
moe.fit(X / 16, y)
scores = {
    "perceptron": mlp.score(X_test / 16, y_test),
    "mixture, after training on": moe.score(X_test / 16, y_test),
}
same < 1e-12, pd.Series(scores).mul(100).round(1).to_dict()

# %%
table = moe.routers_[0].table
apart = np.linalg.norm(table - table.mean(axis=0), axis=1) / np.linalg.norm(table.mean(axis=0))
fig, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
ax.bar(np.arange(8), apart, color="#0072B2")
ax.set(xlabel="expert", ylabel="distance from the mean, relative")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
