"""aepo-arb: the entropy is held at a target by imitating hotter or colder samples."""

from .recipe import Recipe, above, some, within

#: Nats a token.
_TARGETS = (0.06, 0.15, 0.3, 0.45, 0.6)

RECIPE = Recipe(
    name="aepo-arb",
    paper="Arbitrary Entropy Policy Optimization: Entropy Is Controllable in Reinforcement Fine-"
    "tuning (2025)",
    claim="a mean of 61.36 over seven sets with a model of 7 billion parameters, 57.96 with GRPO",
    differs="a model of 0.19 million parameters, trained from scratch, on arithmetic with three "
    "numbers; targets in nats a token, parts of the 0.6 that training begins with; all arms play "
    "as many episodes, so that those that play more of them an update have fewer updates",
    bed="countdown",
    baseline="grpo",
    arms={
        "grpo": {},
        **{f"target-{h}": {"editors": (f"aepo(target={h})",)} for h in _TARGETS},
        # Added after the gate was judged: whether more and hotter samples do reach a target.
        "stronger-0.3": {"editors": ("aepo(target=0.3, hot=2.0, cold=0.5, share=1.0, most=128)",)},
    },
    gate=(
        some(1, *(above("pass_1", f"target-{h}", "grpo") for h in _TARGETS)),
        some(4, *(within("entropy_end", f"target-{h}", 0.8 * h, 1.2 * h) for h in _TARGETS)),
    ),
)
