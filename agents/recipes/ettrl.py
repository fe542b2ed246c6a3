"""ettrl: majorities instead of labels, with uncertain answers counting less."""

from .recipe import Recipe, above

RECIPE = Recipe(
    name="ettrl",
    paper="ETTRL: Balancing Exploration and Exploitation in LLM Test-Time Reinforcement Learning "
    "Via Entropy Mechanism (2025)",
    claim="on AIME24 13.5 instead of 10.0 with a model of 8 billion parameters by the advantages "
    "alone",
    differs="a model of 0.19 million parameters, trained from scratch, on arithmetic with three "
    "numbers; the starts of training are used without labels, as the starting model has seen "
    "no answer to them in most cases; no trees of answers",
    bed="countdown",
    baseline="majority",
    arms={
        "majority": {"reward_weight": 0.0, "bonuses": ("majority_vote",)},
        "ear": {"reward_weight": 0.0, "bonuses": ("majority_vote",), "transforms": ("ear",)},
        "clip": {
            "reward_weight": 0.0,
            "bonuses": ("majority_vote",),
            "transforms": ("advantage_clip",),
        },
    },
    gate=(above("pass_1", "ear", "majority"),),
)
