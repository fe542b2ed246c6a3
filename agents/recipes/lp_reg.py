"""lp-reg: unlikely tokens are protected, noise is not."""

from .recipe import Recipe, above, times

RECIPE = Recipe(
    name="lp-reg",
    paper="Low-probability Tokens Sustain Exploration in Reinforcement Learning with Verifiable "
    "Reward (2025)",
    claim="60.17% on average over five mathematics benchmarks, 2.66 more than the best baseline",
    differs="a model of 0.19 million parameters, trained from scratch, on arithmetic with three "
    "numbers; no rare opening is planted, so the gate looks at scores and entropy instead of "
    "its probability; the proxy is of the policy of now",
    bed="countdown",
    baseline="grpo",
    arms={
        "grpo": {},
        "open": {"loss": "ppo_clip(low=1.0, high=9.0)"},
        "entropy-bonus": {"regularisers": ("entropy_bonus(coefficient=0.01)",)},
        "lp-reg": {
            "loss": "ppo_clip(low=1.0, high=9.0)",
            "regularisers": ("lp_reg(share=0.02)",),
        },
    },
    gate=(
        above("pass_1", "lp-reg", "grpo"),
        above("pass_16", "lp-reg", "grpo"),
        times("entropy_kept", "lp-reg", "grpo", 2.0),
    ),
)
