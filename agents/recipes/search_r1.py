"""search-r1: the common baseline of search agents, one query at a time and the answer's reward."""

from .recipe import Recipe, grown

RECIPE = Recipe(
    name="search-r1",
    paper="Search-R1: Training LLMs to Reason and Leverage Search Engines with Reinforcement "
    "Learning (2025)",
    claim="41% more than baselines with retrieval (relative) with a model of 7 billion parameters, "
    "on the average of seven question-answering sets",
    differs="a model of about 0.2 million parameters, trained from scratch, on two-hop questions "
    "about 512 worlds of 100 pages, tested in another",
    bed="search",
    baseline="grpo",
    arms={"grpo": {}},
    gate=(grown("pass_1", "grpo", 0.05),),
)
