"""Every recipe, once: a new one is a file with a `RECIPE`, and a line here."""

import importlib
from typing import cast

from ...envs.kernel.errors import InvalidArgumentError
from .recipe import Recipe

#: Modules by the names of recipes.
MODULES = {
    "grpo": "grpo",
    "lite-ppo": "lite_ppo",
    "entropy-mechanism": "entropy_mechanism",
    "entropy-table": "entropy_table",
    "steer": "steer",
    "lp-reg": "lp_reg",
    "siren": "siren",
    "epo": "epo",
    "aepo-arb": "aepo_arb",
    "hicra": "hicra",
    "empg": "empg",
    "ettrl": "ettrl",
    "verl-rank": "verl_rank",
    "ares": "ares",
    "light-if": "light_if",
    "ead": "ead",
    "spear": "spear",
    "search-r1": "search_r1",
    "critique-grpo": "critique_grpo",
}


def recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        InvalidArgumentError: there is none.
    """
    if name not in MODULES:
        raise InvalidArgumentError(f"recipe must be one of {list(MODULES)}; got {name!r}")
    module = importlib.import_module(f".{MODULES[name]}", __package__)
    return cast(Recipe, module.RECIPE)
