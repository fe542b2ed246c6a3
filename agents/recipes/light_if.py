"""light-if: dense rewards, and an entropy bonus where entropy is being lost."""

from .recipe import Recipe, above

RECIPE = Recipe(
    name="light-if",
    paper="Light-IF: Endowing LLMs with Generalizable Reasoning via Preview and Self-Checking for "
    "Complex Instruction Following (2025)",
    claim="13.9 points more than the next best on SuperCLUE with a model of 32 billion parameters",
    differs="a model of about 0.2 million parameters, trained from scratch, on lines of words that "
    "meet up to six constraints; no preview and no self-check, no imitation of selected "
    "tokens",
    bed="constraints",
    baseline="sparse",
    arms={
        "sparse": {},
        "dense": {},
        "full": {"regularisers": ("tea",)},
    },
    gate=(
        above("pass_1", "full", "sparse"),
        above("pass_1", "full", "dense"),
    ),
    env_kwargs={"dense": {"reward": "share"}, "full": {"reward": "share"}},
)
