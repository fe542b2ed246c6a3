"""epo: entropy is kept in a corridor around its own past."""

from .recipe import Recipe, above, times

RECIPE = Recipe(
    name="epo",
    paper="EPO: Entropy-regularized Policy Optimization for LLM Agents Reinforcement Learning "
    "(2025)",
    claim="up to 152% more on ScienceWorld and 19.8% on ALFWorld",
    differs="a model of about 0.2 million parameters, trained from scratch, on two-hop questions "
    "about 512 worlds of 100 pages, tested in another; at most six turns",
    bed="search",
    baseline="grpo",
    arms={
        "grpo": {},
        "bonus": {"regularisers": ("entropy_bonus(coefficient=0.001)",)},
        "epo": {"regularisers": ("epo",)},
    },
    gate=(
        above("pass_1", "epo", "grpo"),
        times("entropy_variance", "bonus", "epo", 1 / 0.7),
    ),
)
