"""grpo: group-relative policy optimisation from a model that has imitated a little."""

from .recipe import Recipe, at_least, within

RECIPE = Recipe(
    name="grpo",
    paper="DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language Models "
    "(2024)",
    claim="GRPO takes a model of 7 billion parameters from 46.8% to 51.7% on MATH",
    differs="arithmetic with three numbers; a model of 0.19 million parameters, trained from "
    "scratch; no penalty on the divergence from the starting model",
    bed="countdown",
    baseline="grpo",
    arms={"grpo": {}},
    gate=(at_least("pass_1", "grpo", 0.45), within("start_pass_1", "grpo", 0.2, 0.25)),
    updates={"laptop": 600},
)
