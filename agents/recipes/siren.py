"""siren: the entropy of the nucleus of uncertain tokens is held at an anchor."""

from .recipe import Recipe, above, within

RECIPE = Recipe(
    name="siren",
    paper="Rethinking Entropy Regularization in Large Reasoning Models (2025)",
    claim="6.6 more maj@k on AIME24/25 with a model of 7 billion parameters than earlier entropy "
    "methods",
    differs="a model of 0.19 million parameters, trained from scratch, on arithmetic with three "
    "numbers, whose vocabulary is not padded, so that plain bonuses have little to leak into",
    bed="countdown",
    baseline="bonus-0.01",
    arms={
        "bonus-0.001": {"regularisers": ("entropy_bonus(coefficient=0.001)",)},
        "bonus-0.01": {"regularisers": ("entropy_bonus(coefficient=0.01)",)},
        "bonus-0.05": {"regularisers": ("entropy_bonus(coefficient=0.05)",)},
        "siren": {"regularisers": ("siren(coefficient=0.05)",)},
    },
    gate=(
        above("maj_16", "siren", "bonus-0.001"),
        above("maj_16", "siren", "bonus-0.01"),
        above("maj_16", "siren", "bonus-0.05"),
        within("entropy_kept", "siren", 0.5, 1.5),
    ),
)
