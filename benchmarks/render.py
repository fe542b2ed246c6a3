"""Write the tables of the documentation from the registries and from `results/*.json`."""

import inspect
import re
from pathlib import Path

from pages import (
    bandit_claims,
    bandits,
    coupled,
    knowledge,
    language_models,
    planning,
    recipes,
    tables,
)
from pages.figures import measured, table
from pages.summary import results

from spelunk.agents import registry as agents
from spelunk.agents.llm.training.terms.slots import MANY, ONE
from spelunk.envs.reference import reference
from spelunk.envs.registry import ENTRIES

ROOT = Path(__file__).parent.parent


def environments():
    """A row for each environment: its first sentence and its yardstick."""
    rows = []
    for row in ENTRIES:
        page = inspect.cleandoc(row.load().__doc__)
        about = page.split("## Description\n")[1].split("\n\n")[0].replace("\n", " ")
        score = reference(row.id)
        first = re.split(r"[.:;] |\\.$", about)[0]
        rows.append((f"`{row.id}`", row.family, first, f"{score.random:.3g}", f"{score.best:.3g}"))
    return table(("id", "family", "the task", "random policy", "best known"), rows)


def agent_table():
    """A row for each agent."""
    rows = [(f"`{row.name}`", row.kind, row.about) for row in agents.ENTRIES]
    return table(("agent", "kind", "about"), rows)


def slots():
    """A row for each slot of the trainer of language models, and what can be put there."""
    rows = []
    for slot, known in {**ONE, **MANY}.items():
        module = inspect.getmodule(next(iter(known.values())))
        about = inspect.cleandoc(module.__doc__ or "").split("\n")[0].rstrip(".")
        rows.append((f"`{slot}`", about, ", ".join(f"`{name}`" for name in known)))
    return table(("slot", "what it is", "terms"), rows)


def fill(page, parts):
    """Rewrite what stands between a page's markers."""
    text = page.read_text()
    for name, part in parts.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text = re.sub(pattern, lambda m, part=part: m[1] + part + "\n" + m[2], text, flags=re.S)
    page.write_text(text)


#: The tables of the page of the benchmarks, and the results that they show.
TABLES = {
    "throughput": (tables.throughput_table, "throughput"),
    "bytes": (tables.bytes_table, "throughput"),
    "peers": (tables.peers_table, "peers"),
    "games": (tables.games_table, "games"),
    "training": (tables.training_table, "training_speed"),
    "against_sb3": (tables.sb3_table, "against_sb3_dqn"),
    "curves": (tables.curves_table, "curves"),
    "distances": (planning.distances_table, "exact_distances"),
    "optimal": (planning.optimal_table, "exact_distances"),
    "korf": (planning.korf_table, "korf"),
    "planner_speed": (planning.speed_table, "planner_speed"),
    "q_star": (planning.q_star_table, "q_star"),
    "generators": (planning.generators_table, "generators"),
    "sequential_parallel": (planning.sampling_table, "sequential_parallel"),
    "bandit_speed": (bandits.speed_table, "bandit_speed"),
    "lower_bounds": (bandits.lower_bound_table, "regret"),
    "theorems": (bandits.theorem_table, "regret"),
    "slopes": (bandits.slope_table, "regret"),
    "failures": (bandits.failure_table, "regret"),
    "sparse": (bandit_claims.sparse_table, "bandit_claims"),
    "conservative": (bandit_claims.conservative_table, "bandit_claims"),
    "off_policy": (bandit_claims.off_policy_table, "bandit_claims"),
    "gittins": (bandit_claims.gittins_table, "bandit_claims"),
    "whittle": (bandit_claims.whittle_table, "bandit_claims"),
    "argmax": (bandit_claims.argmax_table, "bandit_claims"),
    "knapsack": (bandit_claims.knapsack_table, "bandit_claims"),
    "coupled": (coupled.coupled_table, "coupled"),
    "world_questions": (knowledge.questions_table, "knowledge_world"),
    "world_built": (knowledge.built_table, "knowledge_world"),
    "world_searches": (knowledge.searches_table, "knowledge_world"),
    "world_learning": (knowledge.learning_table, "knowledge_world"),
    "world_retrieval": (knowledge.retrieval_table, "knowledge_world"),
    "world_difficulty": (knowledge.difficulty_table, "knowledge_world"),
    "world_dispersion": (knowledge.dispersion_table, "knowledge_world"),
    "language_models": (language_models.speed_table, "small_lm_speed"),
    "recipe_claims": (recipes.claims_table, "recipes"),
    "recipe_gates": (recipes.gates_table, "recipes"),
    "entropy_terms": (recipes.entropy_table, "recipes"),
    "entropy_laws": (recipes.law_table, "recipes"),
}


def main():
    """Fill in the README and the page of the benchmarks."""
    fill(
        ROOT / "README.md",
        {"environments": environments(), "agents": agent_table(), "results": results()},
    )
    made = {name: make() for name, (make, result) in TABLES.items() if measured(result)}
    fill(ROOT / "docs" / "benchmarks.md", made)
    fill(ROOT / "docs" / "language_models.md", {"slots": slots()})


if __name__ == "__main__":
    main()
