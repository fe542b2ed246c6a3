"""entropy-mechanism: Clip-Cov and KL-Cov, which spare the few tokens that use entropy up."""

from .recipe import Recipe, above, at_least, at_most, times

RECIPE = Recipe(
    name="entropy-mechanism",
    paper="The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models (2025)",
    claim="with KL-Cov models of 7 and 32 billion parameters gain about 2 and 6.4 points over GRPO",
    differs="arithmetic with three numbers; a model of 0.19 million parameters, trained from "
    "scratch; 2% of the tokens instead of 0.02%, as most tokens of so short answers are decisions",
    bed="countdown",
    baseline="grpo",
    arms={
        "grpo": {},
        "clip-cov": {"regularisers": ("clip_cov(share=0.02)",)},
        # Added after the gate was judged: the authors open the clipping of ratios for this one too.
        "clip-cov-open": {
            "loss": "ppo_clip(low=1.0, high=1.0)",
            "regularisers": ("clip_cov(share=0.02)",),
        },
        "kl-cov": {
            "loss": "ppo_clip(low=1.0, high=9.0)",
            "regularisers": ("kl_cov(share=0.02)",),
        },
    },
    gate=(
        at_most("law_error", "grpo", 0.05),
        at_least("law_r_squared", "grpo", 0.8),
        times("entropy_kept", "clip-cov", "grpo", 2.0),
        above("pass_1", "clip-cov", "grpo", -0.01),
        above("pass_16", "clip-cov", "grpo"),
        times("entropy_kept", "kl-cov", "grpo", 2.0),
        above("pass_1", "kl-cov", "grpo", -0.01),
        above("pass_16", "kl-cov", "grpo"),
    ),
)
