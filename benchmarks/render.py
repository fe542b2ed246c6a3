"""Write the tables of the documentation from the registries and from `results/*.json`."""

import inspect
import re
from pathlib import Path

from pages import planning, tables
from pages.figures import table
from pages.summary import results

from spelunk.agents import registry as agents
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


def fill(page, parts):
    """Rewrite what stands between a page's markers."""
    text = page.read_text()
    for name, part in parts.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text = re.sub(pattern, lambda m, part=part: m[1] + part + "\n" + m[2], text, flags=re.S)
    page.write_text(text)


def main():
    """Fill in the README and the page of the benchmarks."""
    fill(
        ROOT / "README.md",
        {"environments": environments(), "agents": agent_table(), "results": results()},
    )
    fill(
        ROOT / "docs" / "benchmarks.md",
        {
            "throughput": tables.throughput_table(),
            "bytes": tables.bytes_table(),
            "peers": tables.peers_table(),
            "games": tables.games_table(),
            "training": tables.training_table(),
            "against_sb3": tables.sb3_table(),
            "curves": tables.curves_table(),
            "distances": planning.distances_table(),
            "optimal": planning.optimal_table(),
            "korf": planning.korf_table(),
            "planner_speed": planning.speed_table(),
            "q_star": planning.q_star_table(),
            "generators": planning.generators_table(),
            "sequential_parallel": planning.sampling_table(),
        },
    )


if __name__ == "__main__":
    main()
