"""verl-rank: answers whose hidden states grow in rank gain."""

from .recipe import Recipe, above, some

RECIPE = Recipe(
    name="verl-rank",
    paper="Beyond the Exploration-Exploitation Trade-off: A Hidden State Approach for LLM Reasoning"
    " in RLVR (2025)",
    claim="up to 21.4 points on Gaokao 2024",
    differs="a model of about 0.2 million parameters, trained from scratch, on chains of modular "
    "arithmetic; the width of 64 bounds the rank; correlations with token entropy are left "
    "out",
    bed="chain",
    baseline="grpo",
    arms={"grpo": {}, "verl": {"transforms": ("verl(stride=8)",)}},
    gate=(
        some(1, above("pass_1", "verl", "grpo"), above("pass_16", "verl", "grpo")),
        above("pass_1", "verl", "grpo", -0.005),
        above("pass_16", "verl", "grpo", -0.005),
    ),
)
