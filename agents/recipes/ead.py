"""ead: hot at the start of an answer, cold at its end."""

from .recipe import Recipe, above

RECIPE = Recipe(
    name="ead",
    paper="Let it Calm: Exploratory Annealed Decoding for Verifiable Reinforcement Learning (2025)",
    claim="more than any fixed temperature under GRPO, DAPO and Clip-Cov",
    differs="a model of 0.19 million parameters, trained from scratch, on arithmetic with three "
    "numbers",
    bed="countdown",
    baseline="fixed-1.0",
    arms={
        "fixed-0.6": {"temperature": 0.6},
        "fixed-1.0": {},
        "fixed-1.2": {"temperature": 1.2},
        "ead": {"sampling": "annealed(decay=9.0)"},
        "reversed": {"sampling": "reversed_annealed(length=7)"},
    },
    gate=(
        above("pass_16", "ead", "fixed-1.0"),
        above("pass_16", "ead", "fixed-0.6"),
        above("pass_16", "ead", "fixed-1.2"),
        above("pass_1", "ead", "fixed-1.0", -0.01),
        above("pass_16", "ead", "reversed"),
    ),
)
