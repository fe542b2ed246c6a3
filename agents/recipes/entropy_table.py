"""entropy-table: every way to control entropy on one bed, from one start."""

from .recipe import Recipe, within

RECIPE = Recipe(
    name="entropy-table",
    paper="the terms of thirteen papers on entropy and credit, side by side",
    claim="each is better than plain GRPO, whose entropy collapses",
    differs="arithmetic with three numbers; a model of 0.19 million parameters, trained from "
    "scratch; shares of tokens are larger, as most tokens of so short answers are decisions",
    bed="countdown",
    baseline="grpo",
    arms={
        "grpo": {},
        "entropy-bonus": {"regularisers": ("entropy_bonus(coefficient=0.01)",)},
        "kl": {"regularisers": ("kl(coefficient=0.02)",)},
        "kl-k1": {"regularisers": ("kl(coefficient=0.02, estimator='k1')",)},
        "clip-cov": {"regularisers": ("clip_cov(share=0.02)",)},
        "kl-cov": {
            "loss": "ppo_clip(low=1.0, high=9.0)",
            "regularisers": ("kl_cov(share=0.02)",),
        },
        "lp-reg": {
            "loss": "ppo_clip(low=1.0, high=9.0)",
            "regularisers": ("lp_reg(share=0.02)",),
        },
        "siren": {"regularisers": ("siren(coefficient=0.05)",)},
        "epo": {"regularisers": ("epo(coefficient=0.01)",)},
        "steer": {"regularisers": ("steer",)},
        "tea": {"regularisers": ("tea(coefficient=0.01)",)},
        "aepo": {"editors": ("aepo(target=0.3)",)},
        "ead": {"sampling": "annealed(decay=9.0)"},
        "hicra": {"transforms": ("hicra(mask='entropy_top')",)},
        "empg": {"transforms": ("empg",)},
        "ear": {"transforms": ("ear",)},
        "verl": {"transforms": ("verl(stride=2)",)},
        "clip-higher": {"loss": "ppo_clip(high=0.28)"},
        "self-imitation": {
            "editors": ("self_imitation",),
            "transforms": ("recalibrate(warmup=100)",),
        },
    },
    # The precondition of all comparisons: without control the entropy collapses.
    gate=(within("entropy_kept", "grpo", 0.0, 0.25),),
)
