"""Write the tables of the README from the registries and from `results/*.json`."""

import inspect
import json
import re
from pathlib import Path

from common import RESULTS

from spelunk.agents import registry as agents
from spelunk.envs.reference import reference
from spelunk.envs.registry import ENTRIES

README = Path(__file__).parent.parent / "README.md"


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


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


def read(name):
    """The figures of a benchmark."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def throughput():
    """Rows about speed beside Minigrid."""
    found = read("throughput")
    rates = found["steps_per_second"]
    yield (
        "DoorKey-8×8, 4,096 environments, beside Minigrid's in `SyncVectorEnv(64)`",
        f"{found['batch_ratio']:,.0f} times as fast "
        f"({rates['spelunk_4096'] / 1e6:.1f} M steps/s on {found['threads']} threads)",
        "≥ 1,000 times",
    )
    yield (
        "one DoorKey-8×8 through `gymnasium.make`, beside Minigrid's",
        f"{found['single_ratio']:.0f} times as fast "
        f"({rates['spelunk_single'] / 1e6:.2f} M steps/s)",
        "≥ 30 times",
    )


def startup():
    """Rows about waiting."""
    found = read("startup")["environments"]
    imports = max(figures["import_seconds"] for figures in found.values())
    slowest = max(found, key=lambda id: found[id]["first_step_seconds"])
    yield ("`import spelunk`", f"{imports:.2f} s", "≤ 0.5 s")
    yield (
        "first `make`, `reset` and `step` of a new process, cache warm",
        f"{found['spelunk/DoorKey-v0']['first_step_seconds']:.2f} s for DoorKey; at most "
        f"{found[slowest]['first_step_seconds']:.2f} s ({slowest})",
        "≤ 1 s",
    )


def ppo_door_key():
    """Rows about the demo."""
    runs = read("ppo_door_key")["runs"]
    scores = [run["normalized_score"] for run in runs]
    seconds = [run["wall_seconds"] for run in runs]
    yield (
        f"PPO on DoorKey-8×8, {runs[0]['env_steps'] / 1e6:.1f} M steps, {len(runs)} seeds: "
        "normalised score on fresh seeds",
        f"{min(scores):.3f} to {max(scores):.3f}",
        "≥ 0.9",
    )
    yield (
        "the same: seconds of training",
        f"{min(seconds):.0f} to {max(seconds):.0f}",
        "≤ 120",
    )


def novelty_maze():
    """Rows about novelty search."""
    found = read("novelty_maze")
    novelty, fitness = found["novelty"], found["fitness"]
    yield (
        f"the deceptive maze left, of {found['seeds']} seeds: novelty search, fitness search",
        f"{novelty['successes']} of {found['seeds']}, {fitness['successes']} of {found['seeds']}",
        "novelty search does, fitness search does not",
    )


def small_lm_bandit():
    """Rows about the language model."""
    found = read("small_lm_bandit")
    runs, gain = found["runs"], found["gain_over_seeds"]
    before, after = (
        sum(run[phase]["mean"] for run in runs) / len(runs) for phase in ("after_sft", "after_rl")
    )
    low, high = gain["interval"]
    others = ", ".join(f"{n} {f['mean']:.1f}" for n, f in found["baselines"].items())
    yield (
        f"small language model on BernoulliBandit, {len(runs)} seeds: return after imitation, "
        "after reinforcement learning",
        f"{before:.1f}, {after:.1f}: {gain['mean']:+.2f} (95% interval {low:.2f} to {high:.2f}); "
        f"beside it {others}",
        "the gain above 0",
    )


def searchers():
    """Rows about KnowledgeSearch."""
    found = read("searchers")["agents"]
    for name, goal in (("oracle", "1.0"), ("guesser", "< 0.1")):
        menu, text = (found[f"{name}_{kind}"]["return_mean"] for kind in ("menu", "text"))
        yield (
            f"KnowledgeSearch, {found[f'{name}_menu']['episodes']} fresh questions: `{name}` by "
            "menu, in text",
            f"{menu:.3f}, {text:.3f}",
            goal,
        )


SECTIONS = (throughput, startup, ppo_door_key, novelty_maze, small_lm_bandit, searchers)


def results():
    """Every figure that has been measured."""
    measured = {path.stem for path in RESULTS.glob("*.json")}
    rows = [row for section in SECTIONS if section.__name__ in measured for row in section()]
    return table(("what", "measured", "goal"), rows)


def main():
    """Rewrite what stands between the README's markers."""
    text = README.read_text()
    parts = {"environments": environments(), "agents": agent_table(), "results": results()}
    for name, part in parts.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text = re.sub(pattern, lambda m, part=part: m[1] + part + "\n" + m[2], text, flags=re.S)
    README.write_text(text)


if __name__ == "__main__":
    main()
