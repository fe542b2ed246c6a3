"""Write the tables of the documentation from the registries and from `results/*.json`."""

import inspect
import json
import math
import re
from pathlib import Path

from common import RESULTS

from spelunk.agents import registry as agents
from spelunk.envs.reference import reference
from spelunk.envs.registry import ENTRIES

ROOT = Path(__file__).parent.parent


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


def peers():
    """Rows about speed beside other packages."""
    for row in read("peers")["peers"]:
        yield (
            f"{row['game']} beside {row['peer']} {row['version']} ({row['played']})",
            f"{row['ratio']:,.1f} times as fast ({_rate(row['spelunk'])})",
            f"≥ {row['target']:,} times",
        )


def games():
    """Rows about speed beside hand-written C."""
    found = read("games")
    for row in found["games"]:
        if row["environments"] == 4096:
            yield (
                f"`{row['game']}`, 4,096 environments on one thread, beside PufferLib "
                f"{found['pufferlib']}'s C",
                f"{row['ratio']:.2f} times as fast ({_rate(row['spelunk']['copy=False'])})",
                f"≥ {found['target']}",
            )


def _rate(steps):
    """Steps a second."""
    return f"{steps / 1e6:.2f} M steps/s"


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


def training_speed():
    """Rows about training beside other trainers."""
    found = read("training_speed")
    goals = {"SB3 on Minigrid": "≥ 3", "SB3 on ours": "≥ 2", "script": "≥ 1"}
    for row in found["steps"]:
        if row["threads"] == 1 or row["envs"] > 8:
            words = f"PPO, {row['envs']} environments, {row['threads']} thread(s): steps/s beside"
            for name, goal in goals.items():
                if name in row["rates"]:
                    ratio = row["rates"]["spelunk"] / row["rates"][name]
                    yield (
                        f"{words} {_CONTENDERS[name]}",
                        f"{ratio:.2f} times as fast",
                        f"{goal} times",
                    )
            shares = [row["rates"]["spelunk"] / row["rates"][bare] for bare in _BARE]
            yield (
                f"{words} the bare arithmetic of the network, by torch's layers and by ours",
                ", ".join(f"{share:.0%}" for share in shares),
                "≥ 85%",
            )
    for size, goal in ((5, 2), (8, 5)):
        ours, theirs = (
            [r["seconds"] for r in row["runs"]] for row in found["seconds"] if row["size"] == size
        )
        yield (
            f"DoorKey-{size}×{size}: seconds to a score of 0.9, ours, SB3 on Minigrid; medians",
            f"{_median(ours)}, {_median(theirs)}",
            f"≥ {goal} times fewer",
        )
    memory = found["memory"]
    yield (
        "peak memory of PPO on DoorKey-8×8 with 4,096 environments",
        f"{memory['training']['4096'] / 2**20:,.0f} MiB",
        "",
    )
    replay = memory["replay"]
    yield (
        "a replay of a million transitions of DoorKey, beside its computed size",
        f"{replay['measured'] / replay['computed']:.3f}",
        "≤ 1.1",
    )


_BARE = ("bare loop", "bare loop, our layers")
_CONTENDERS = {
    "script": "a script of one file on our environment",
    "SB3 on ours": "SB3 on our environment",
    "SB3 on Minigrid": "SB3 on Minigrid's",
}


def _median(seconds):
    """The median of times, of which those that were never over count as longer than all others."""
    middle = sorted(math.inf if s is None else s for s in seconds)[len(seconds) // 2]
    return "never within the limit" if middle == math.inf else f"{middle:.1f}"


def against_sb3():
    """Rows about scores beside Stable-Baselines3's."""
    for name in ("ppo", "dqn"):
        for row in read(f"against_sb3_{name}")["tasks"]:
            low, high = row["difference"]["interval"]
            yield (
                f"{name.upper()} on {row['task']}, {row['steps']:,} steps, 10 seeds: score, SB3's",
                f"{row['spelunk']['mean']:.3f}, {row['SB3']['mean']:.3f}: "
                f"{row['difference']['mean']:+.3f} ({low:+.3f} to {high:+.3f})",
                "equal within the interval, or better",
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


SECTIONS = (
    peers, games, startup, ppo_door_key, training_speed, against_sb3, novelty_maze,
    small_lm_bandit, searchers,
)  # fmt: skip
#: The results that a section reads, where they are not named as it is.
RESULTS_OF = {"against_sb3": "against_sb3_dqn"}


def results():
    """Every figure that has been measured."""
    measured = {path.stem for path in RESULTS.glob("*.json")}
    names = {section: RESULTS_OF.get(section.__name__, section.__name__) for section in SECTIONS}
    rows = [row for section in SECTIONS if names[section] in measured for row in section()]
    return table(("what", "measured", "goal"), rows)


def throughput_table():
    """Steps a second of every environment by the size of the batch."""
    found = read("throughput")["environments"]
    sizes = ["single", *dict.fromkeys(n.split()[0] for f in found.values() for n in _names(f))]
    rows = []
    for id, figures in found.items():
        rates = figures["steps_per_second"]
        cells = []
        for size in sizes:
            each = [rates.get(size), rates.get(f"{size} one"), rates.get(f"{size} all")]
            cells.append(" / ".join(f"{rate / 1e6:.3g}" for rate in each if rate is not None))
        rows.append((f"`{id}`", *cells))
    head = ["single" if size == "single" else f"{int(size):,}" for size in sizes]
    return table(("M steps/s, one thread / all", *head), rows)


def _names(figures):
    return [name for name in figures["steps_per_second"] if name != "single"]


def bytes_table():
    """What a step moves, and how far from the memory's limit that is."""
    rows = []
    for id, figures in read("throughput")["environments"].items():
        size, flat, first = (
            figures["bytes"],
            figures["flat_up_to"],
            figures["first_step_seconds"],
        )
        shares = [share for name, share in figures["bandwidth_share"].items() if "one" in name]
        rows.append(
            (
                f"`{id}`",
                size["record"],
                size["observation"],
                size["moved"],
                f"{max(shares):.0%}",
                f"{flat['environments']:,} ({flat['bytes'] / 2**20:.1f} MiB)",
                f"{first['cold']:.1f} / {first['warm']:.2f}",
            )
        )
    return table(
        (
            "bytes",
            "record",
            "observation",
            "moved by a step",
            "of the bandwidth of one thread, at most",
            "cost is flat up to",
            "first step, cold / warm (s)",
        ),
        rows,
    )


def peers_table():
    """Every peer's figures, and why some have none."""
    found = read("peers")
    rows = [
        (
            row["game"],
            f"{row['peer']} {row['version']}",
            row["played"],
            _rate(row["steps_per_second"]),
            _rate(row["spelunk"]),
            f"{row['ratio']:,.1f}",
            f"{row['ratio_without_copies']:,.1f}",
            f"{row['target']:,}",
            row["differs"],
        )
        for row in found["peers"]
    ]
    rows += [("", name, reason, *[""] * 6) for name, reason in found["failed"].items()]
    head = (
        "game", "peer", "played", "peer's rate", "ours", "ratio", "without copies", "goal",
        "what differs",
    )  # fmt: skip
    return table(head, rows)


def games_table():
    """Hand-written C beside kernels."""
    rows = [
        (
            row["game"],
            f"{row['environments']:,}",
            *(f"{rate / 1e6:.1f}" for rate in row["pufferlib"].values()),
            *(f"{rate / 1e6:.1f}" for rate in row["spelunk"].values()),
            f"{row['ratio']:.2f}",
        )
        for row in read("games")["games"]
    ]
    head = (
        "game, one thread, M steps/s", "environments", "C through its Python class",
        "C, the loop alone", "ours, copy=False", "ours, copies", "ratio",
    )  # fmt: skip
    return table(head, rows)


def training_table():
    """Steps a second of every trainer."""
    found = read("training_speed")["steps"]
    names = list(dict.fromkeys(name for row in found for name in row["rates"]))
    rows = [
        (
            f"{row['envs']} × {row['steps']}, minibatch {row['minibatch']:,}",
            row["threads"],
            *(f"{row['rates'][name]:,.0f}" if name in row["rates"] else "" for name in names),
        )
        for row in found
    ]
    return table(("environments × steps", "threads", *names), rows)


def sb3_table():
    """Scores of both by task."""
    rows = []
    for name in ("ppo", "dqn"):
        for row in read(f"against_sb3_{name}")["tasks"]:
            cells = [
                f"{row[who]['mean']:.3f} ({row[who]['interval'][0]:.3f} to "
                f"{row[who]['interval'][1]:.3f})"
                for who in ("spelunk", "SB3")
            ]
            low, high = row["difference"]["interval"]
            better = row["probability_of_improvement"]
            rows.append(
                (
                    name.upper(),
                    row["task"],
                    f"{row['steps']:,}",
                    *cells,
                    f"{row['difference']['mean']:+.3f} ({low:+.3f} to {high:+.3f})",
                    f"{better['point']:.2f} ({better['low']:.2f} to {better['high']:.2f})",
                )
            )
    head = ("learner", "task", "steps", "ours", "SB3's", "difference", "P(ours is better)")
    return table(head, rows)


def curves_table():
    """What every training ended with."""
    rows = []
    for name, found in read("curves")["tasks"].items():
        scores = ", ".join(
            "–" if run["normalized_score"] is None else f"{run['normalized_score']:.3f}"
            for run in found["runs"]
        )
        returns = ", ".join(f"{run['return_mean']:.3g}" for run in found["runs"])
        rows.append((name, f"{found['runs'][0]['env_steps']:,}", returns, scores))
    return table(("task", "steps", "mean return of each seed", "normalised score"), rows)


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
            "throughput": throughput_table(),
            "bytes": bytes_table(),
            "peers": peers_table(),
            "games": games_table(),
            "training": training_table(),
            "against_sb3": sb3_table(),
            "curves": curves_table(),
        },
    )


if __name__ == "__main__":
    main()
