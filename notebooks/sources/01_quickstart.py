# %% [markdown]
# # Test
# hello

# %%
import matplotlib.pyplot as plt
from moe_classic import MoERegressor
from moe_classic.datasets import load_motorcycle

X, y = load_motorcycle(return_X_y=True, as_frame=True)
moe = MoERegressor(3, random_state=0).fit(X, y)
moe.summary().round(2)

# %%
plt.plot([1,2])
