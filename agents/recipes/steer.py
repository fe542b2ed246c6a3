"""steer: tokens weigh less the more they change the entropy."""

from .recipe import Recipe, above, within

RECIPE = Recipe(
    name="steer",
    paper="Rethinking Entropy Interventions in RLVR: An Entropy Change Perspective (2025)",
    claim="stable entropy and better averages than other entropy control on mathematics; no "
    "collapse with clipping at 0.99 and 5.0",
    differs="a model of 0.19 million parameters, trained from scratch, on arithmetic with three "
    "numbers",
    bed="countdown",
    baseline="lite",
    arms={
        "lite": {"advantage": "lite", "loss": "ppo_clip(high=0.28, dual=10.0)"},
        "steer": {
            "advantage": "lite",
            "loss": "ppo_clip(high=0.28, dual=10.0)",
            "regularisers": ("steer",),
        },
        "lite-extreme": {"advantage": "lite", "loss": "ppo_clip(low=0.99, high=5.0, dual=10.0)"},
        "steer-extreme": {
            "advantage": "lite",
            "loss": "ppo_clip(low=0.99, high=5.0, dual=10.0)",
            "regularisers": ("steer",),
        },
    },
    gate=(
        above("pass_1", "steer-extreme", "lite-extreme"),
        within("entropy_kept", "lite-extreme", 0.0, 0.1),
        within("entropy_kept", "steer-extreme", 0.4, 9.0),
        above("pass_1", "steer", "lite", -0.01),
    ),
)
