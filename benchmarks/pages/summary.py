"""The rows of the README's table: a few of each benchmark, beside their goals."""

import math

from pages.bandits import share_of_bound
from pages.figures import measured, rate, read, table


def peers():
    """Rows about speed beside other packages."""
    for row in read("peers")["peers"]:
        yield (
            f"{row['game']} beside {row['peer']} {row['version']} ({row['played']})",
            f"{row['ratio']:,.1f} times as fast ({rate(row['spelunk'])})",
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
                f"{row['ratio']:.2f} times as fast ({rate(row['spelunk']['copy=False'])})",
                f"≥ {found['target']}",
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
    runs, ratio = found["runs"], found["over_tuned"]
    before, after = (
        sum(run[phase]["mean"] for run in runs) / len(runs) for phase in ("after_sft", "after_rl")
    )
    low, high = ratio["interval"]
    others = ", ".join(f"{n} {f['mean']:.2f}" for n, f in found["baselines"].items())
    yield (
        f"small language model on BernoulliBandit, {len(runs)} seeds: regret after imitation, "
        "after reinforcement learning",
        f"{before:.2f}, {after:.2f}: {ratio['mean']:.2f} of tuned UCB1's (95% interval {low:.2f} "
        f"to {high:.2f}); beside it {others}",
        f"at most {found['goal']:g} of tuned UCB1's",
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


def knowledge_world():
    """Rows about the world behind KnowledgeSearch."""
    found = read("knowledge_world")
    asked, speed = found["questions"], found["speed"]
    built = speed["built"][-1]
    yield (
        f"{sum(row['questions'] for row in asked):,} questions of {len(asked)} patterns: the least "
        "success of the oracle, broken ones, and those with more than one answer",
        f"{min(row['oracle'] for row in asked):.4f}, {sum(row['broken'] for row in asked)}, "
        f"{sum(row['not_unique'] for row in asked)}",
        "1.0, 0, 0",
    )
    yield (
        f"a world of {built['documents']:,} pages made and indexed, pages/s on one thread",
        f"{built['documents_per_second']:,.0f}",
        f"≥ {built['target']:,}",
    )
    searches = speed["searches"]
    yield (
        f"searches/s over {searches['envs']} environments, {searches['documents']:,} pages, text "
        "in and out",
        f"{searches['per_second']:,.0f}",
        f"≥ {searches['target']:,}",
    )


def exact_distances():
    """Rows about planners that prove their plans."""
    found = read("exact_distances")
    proofs = [n for row in found["spaces"] for n in row["optimal"].values()]
    yield (
        f"spaces searched whole: {', '.join(row['space'] for row in found['spaces'])}; planners "
        f"that agree with them on {found['random_states']:,} random states each",
        f"{sum(n == found['random_states'] for n in proofs)} of {len(proofs)}",
        "all",
    )


def planner_speed():
    """Rows about expansions a second."""
    found = read("planner_speed")
    for ours, others in found["ratios"].items():
        speed = found["expansions_per_second"][ours]["median"]
        for other, row in others.items():
            yield (
                f"{ours} on 15-puzzles, one thread, beside {other}",
                f"{row['ratio']:.3g} times as fast ({speed / 1e6:.2f} M expansions/s)",
                f"≥ {row['target']:g} times",
            )


def q_star():
    """Rows about Q* search, with the smallest and the largest batch."""
    rows = read("q_star")["rows"]
    sizes = {row["batch_size"] for row in rows}
    for row in rows:
        if row["batch_size"] not in (min(sizes), max(sizes)):
            continue
        yield (
            f"A* against Q* on the {row['case']} cube with {row['actions']} actions, in batches of "
            f"{row['batch_size']:,}: nodes made, and cost of Q*'s plans",
            f"{row['nodes_ratio']:.1f} times as many; {row['cost_ratio']:.3f} times the cost",
            f"≥ {row['nodes_target']:g} times; ≤ {row['cost_target']}",
        )


def mcts():
    """Rows about tree search."""
    found = read("mcts")["speed"]
    yield (
        "MCTS on ConnectFour, simulations/s on one thread, beside plain Python",
        f"{found['ratio']:.3g} times as fast ({found['ours'] / 1e3:,.0f} k/s)",
        f"≥ {found['target']:g} times",
    )


def generators():
    """Rows about making puzzles."""
    for row in read("generators")["puzzles"]:
        yield (
            f"{row['puzzle']} made a second, beside reasoning-gym",
            f"{row['ratio']:,.0f} times as many ({row['per_second']:,.0f}/s)",
            f"≥ {row['target']} times",
        )


def bandit_speed():
    """Rows about bandit algorithms."""
    for row in read("bandit_speed")["rows"]:
        yield (
            f"{row['algorithm']} with its environment, rounds/s, beside {row['peer']}",
            f"{row['ratio']:,.0f} times as fast ({row['per_second'] / 1e6:.3g} M/s)",
            f"≥ {row['target']:,} times",
        )


def regret():
    """Rows about regret."""
    for row in read("regret")["lower_bounds"]:
        if row["within"]:
            yield (
                f"Regret of {row['algorithm']} at T = 10⁵, in units of the lower bound c ln T, "
                f"{row['instance']}",
                f"{share_of_bound(row):.2f}",
                "0.5 to 1.25",
            )


SECTIONS = (
    peers, games, startup, ppo_door_key, training_speed, against_sb3, novelty_maze,
    small_lm_bandit, searchers,
    knowledge_world, exact_distances, planner_speed, q_star, mcts, generators,
    bandit_speed, regret,
)  # fmt: skip
#: The results that a section reads, where they are not named as it is.
RESULTS_OF = {"against_sb3": "against_sb3_dqn"}


def results():
    """Every figure that has been measured."""
    names = {section: RESULTS_OF.get(section.__name__, section.__name__) for section in SECTIONS}
    rows = [row for section in SECTIONS if measured(names[section]) for row in section()]
    return table(("what", "measured", "goal"), rows)
