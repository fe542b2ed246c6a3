"""hicra: planning tokens gain more and lose less."""

from .recipe import Recipe, above

RECIPE = Recipe(
    name="hicra",
    paper="Emergent Hierarchical Reasoning in LLMs through Reinforcement Learning (2025)",
    claim="73.1 instead of 68.5 on AIME24 with a model of 4 billion parameters",
    differs="a model of about 0.2 million parameters, trained from scratch, on chains of modular "
    "arithmetic, where either of two orders of working is the short one; planning tokens are "
    "those of highest entropy; the gate looks at the score, not at the updates it takes",
    bed="chain",
    baseline="grpo",
    arms={
        "grpo": {},
        **{
            f"hicra-{alpha}": {"transforms": (f"hicra(mask='entropy_top', alpha={alpha})",)}
            for alpha in (0.1, 0.2, 0.4)
        },
    },
    gate=(
        above("pass_1", "hicra-0.2", "grpo"),
        above("pass_16", "hicra-0.2", "grpo", -0.01),
    ),
)
