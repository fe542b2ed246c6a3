"""spear: good episodes are replayed, and judged by how it goes lately."""

from .recipe import Recipe, above, within

_DR_BOT = {
    "advantage": "group_mean",
    "loss": "ppo_clip(high=0.28)",
    "aggregation": "constant(length=16)",
    "filters": ("overlong", "widest(share=0.75)"),
}

RECIPE = Recipe(
    name="spear",
    paper="Learn the Ropes, Then Trust the Wins: Self-imitation with Progressive Exploration for "
    "Agentic Reinforcement Learning (2025)",
    claim="up to 16.1 points more than GRPO on ALFWorld and 20.7 on WebShop",
    differs="a model of about 0.2 million parameters, trained from scratch, on two-hop questions "
    "about 512 worlds of 100 pages, tested in another; no bonus for calls of tools; replays count "
    "in full after a quarter of the training; clipping by covariance on all tokens, not on replays "
    "alone",
    bed="search",
    baseline="dr-bot",
    arms={
        "dr-bot": _DR_BOT,
        "spear": {
            **_DR_BOT,
            "editors": ("self_imitation",),
            "transforms": ("recalibrate(warmup=30)",),
            "regularisers": ("clip_cov(share=0.02, low=2.0, high=60.0)",),
        },
    },
    gate=(
        above("pass_1", "spear", "dr-bot"),
        within("entropy_kept", "spear", 0.3, 1.0),
    ),
)
