"""lite-ppo: group mean and batch deviation, every token alike."""

from .recipe import Recipe, above

RECIPE = Recipe(
    name="lite-ppo",
    paper="Part I: Tricks or Traps? A Deep Dive into RL for LLM Reasoning (2025)",
    claim="two techniques on a critic-free PPO loss beat GRPO and DAPO on the average of six "
    "mathematics benchmarks with base models of 4 and 8 billion parameters",
    differs="arithmetic with three numbers; a model of 0.19 million parameters, trained from "
    "scratch; the deviation of the group or the batch times the mean over tokens or sequences",
    bed="countdown",
    baseline="grpo",
    arms={
        "grpo": {"advantage": "grpo", "aggregation": "sequence_mean"},
        "lite": {"advantage": "lite", "aggregation": "token_mean"},
        "group-token": {"advantage": "grpo", "aggregation": "token_mean"},
        "batch-sequence": {"advantage": "lite", "aggregation": "sequence_mean"},
    },
    gate=(
        above("pass_1", "lite", "grpo", -0.02),
        above("pass_1", "lite", "group-token", -0.02),
        above("pass_1", "lite", "batch-sequence", -0.02),
    ),
)
