"""empg: confident turns count more, and turns that lead to clarity gain."""

from .recipe import Recipe, above

RECIPE = Recipe(
    name="empg",
    paper="Harnessing Uncertainty: Entropy-Modulated Policy Gradients for Long-Horizon LLM Agents "
    "(2025)",
    claim="more than GRPO and DAPO on WebShop, ALFWorld and deep search with models of 1.5 to 32 "
    "billion parameters",
    differs="a model of about 0.2 million parameters, trained from scratch, on two-hop questions "
    "about 512 worlds of 100 pages, tested in another; one bed instead of two",
    bed="search",
    baseline="grpo",
    arms={
        "grpo": {},
        "empg": {"transforms": ("empg",)},
        "confidence": {"transforms": ("empg(zeta=0.0)",)},
        "clarity": {"transforms": ("empg(k=0.0)",)},
    },
    gate=(above("pass_1", "empg", "grpo"),),
)
