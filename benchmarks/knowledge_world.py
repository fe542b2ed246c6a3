"""The knowledge world: every question can be answered, nobody can guess, and it is fast.

Parts: `questions` (10,000 of each pattern, played by the oracle and by the guesser, with answers
checked against what the pages say), `speed` (documents built and searches played a second),
`retrieval` (recall of gold evidence for each retriever under each dial), `difficulty` (success of
scripted searchers by hops, treewidth and dispersion) and `learning` (PPO on the menu beside greedy
search).
"""

import argparse
import dataclasses
import itertools
import json
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from common import RESULTS, write_result
from rich.progress import track

from spelunk.agents.core.agent import interact
from spelunk.agents.core.evaluation import evaluate, mean_interval
from spelunk.agents.core.run import RunConfig, load_agent, train
from spelunk.agents.core.trainer import Task
from spelunk.agents.registry import entry
from spelunk.envs.textweb.answers import gold, grade, guess
from spelunk.envs.textweb.bm25 import BM25
from spelunk.envs.textweb.corpus import Corpus
from spelunk.envs.textweb.degraded import Degraded, NoisyQueries
from spelunk.envs.textweb.engines import make_engines
from spelunk.envs.textweb.evidence import read_facts, solutions
from spelunk.envs.textweb.graph import Graph
from spelunk.envs.textweb.patterns import PATTERNS, TREEWIDTH
from spelunk.envs.textweb.schema import COLUMNS
from spelunk.envs.textweb.world import TOP_K, KnowledgeWorld

ID = "spelunk/KnowledgeSearch-v0"
WANTED, DOCUMENTS = 10_000, 200_000
#: Patterns whose answer is one entity that `solutions` can find.
SOLVED = (
    "lookup",
    "chain",
    "chain3",
    "chain4",
    "intersection",
    "mask",
    "ring",
    "diamond",
    "clique",
)


def questions() -> list[dict[str, Any]]:
    """For each pattern: the oracle's and the guesser's mean score, and answers that are unique."""
    rows = {
        pattern: {"pattern": pattern, "questions": 0, "oracle": 0.0, "broken": 0, "guesser": 0.0,
                  "not_unique": 0, "steps": 0.0, "seconds": 0.0}
        for pattern in PATTERNS
    }  # fmt: skip
    for seed in itertools.count():
        missing = [row for row in rows.values() if row["questions"] < WANTED]
        if not missing:
            return [_finish(row) for row in rows.values()]
        world = KnowledgeWorld(seed, DOCUMENTS)
        facts, rng = read_facts(world.corpus), np.random.default_rng(seed)
        for row in missing:
            _ask(row, world, facts, rng)
    raise AssertionError


def _ask(row: dict[str, Any], world: KnowledgeWorld, facts: Any, rng: np.random.Generator) -> None:
    """Questions of a pattern from one world, into its row."""
    begun = time.perf_counter()
    asked = world.questions(row["pattern"], WANTED - row["questions"])
    row["seconds"] += time.perf_counter() - begun
    for question in track(asked, f"{row['pattern']}, world {world.seed}"):
        learned, steps = set(), world.plan(question)
        for step in steps:
            listed = world.search([step.query]).pages[0]
            learned |= set(world.corpus.facts(step.page)) if step.page in listed else set()
        score = grade(world, question, gold(world, question))
        whole = learned.issuperset(question.facts())
        row["oracle"] += score if whole else 0.0
        row["broken"] += not whole or score < 1
        row["steps"] += 2 * len(steps) + 1
        row["guesser"] += grade(world, question, guess(world, question, rng))
        if row["pattern"] in SOLVED:
            row["not_unique"] += solutions(question, facts, world.graph) != {*question.answers}
    row["questions"] += len(asked)


def _finish(row: dict[str, Any]) -> dict[str, Any]:
    """Sums as means, and whether the row is as it must be."""
    for name in ("oracle", "guesser", "steps"):
        row[name] /= row["questions"]
    chance = 0.4 if row["pattern"] == "count" else 0.1  # One of three numbers.
    passed = row["broken"] == row["not_unique"] == 0 and row["guesser"] < chance
    return {**row, "chance": chance, "passed": bool(passed)}


def speed() -> dict[str, Any]:
    """Documents built a second, bytes of each, and searches played a second."""
    KnowledgeWorld(0, 400)  # compiles
    built = []
    for documents in (20_000, 200_000, 1_000_000):
        seconds = {name: [] for name in ("facts", "pages", "tokens", "index")}
        for turn in range(3):
            marks = [time.perf_counter()]
            graph = Graph(documents * 3 // 4, turn)
            marks.append(time.perf_counter())
            corpus = Corpus(graph, documents, turn)
            marks.append(time.perf_counter())
            ids, offsets = corpus.tokens()
            marks.append(time.perf_counter())
            index = BM25(ids, offsets, corpus.vocabulary)
            marks.append(time.perf_counter())
            for name, spent in zip(seconds, np.diff(marks), strict=True):
                seconds[name].append(float(spent))
        middle = {name: float(np.median(spent)) for name, spent in seconds.items()}
        arrays = [a for part in (graph, corpus) for a in vars(part).values()]
        kept = sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))
        built.append(
            {
                "documents": documents,
                "seconds": middle,
                "documents_per_second": documents / sum(middle.values()),
                "target": 20_000,
                "tokens_per_document": len(ids) / documents,
                "bytes_per_document": (kept + index.nbytes) / documents,
                "reading_seconds": _reading([*arrays, *index.index.scores.values()]),
            }
        )
        print(built[-1], flush=True)
    return {"built": built, "searches": _searches()}


def _reading(parts: list[Any]) -> float:
    """Seconds that it takes to read the arrays of a world back from files just written."""
    with tempfile.TemporaryDirectory() as folder:
        for i, part in enumerate(parts):
            if isinstance(part, np.ndarray):
                np.save(f"{folder}/{i}.npy", part)
        seconds = []
        for _ in range(3):
            begun = time.perf_counter()
            for file in sorted(Path(folder).iterdir()):
                np.load(file)
            seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds))


def _searches() -> dict[str, Any]:
    """Searches a second over 64 environments, text in and text out."""
    env: Any = gymnasium.make_vec(
        ID, num_envs=64, documents=DOCUMENTS, actions="text", questions=("chain", "intersection"),
        max_episode_steps=50, autoreset_mode="SAME_STEP",
    )  # fmt: skip
    world, rng = env.unwrapped.prototype.world, np.random.default_rng(0)
    facts = rng.integers(world.graph.n * 4, size=(300, 64))
    said = [
        tuple(f"search: {world.query(f // 4, f // 4 * COLUMNS + f % 4)}" for f in row.tolist())
        for row in facts
    ]
    env.reset(seed=0)
    rates = []
    for turn in range(6):
        begun = time.perf_counter()
        for actions in said[turn * 50 : turn * 50 + 50]:
            env.step(actions)
        rates.append(50 * 64 / (time.perf_counter() - begun))
    return {"documents": DOCUMENTS, "envs": 64, "rates": rates[1:],
            "per_second": float(np.median(rates[1:])), "target": 4000}  # fmt: skip


DIALS: dict[str, dict[str, Any]] = {
    "clean": {},
    "rumours and old news": {"mix": {"rumour": 0.5, "outdated": 0.5}},
    "copies": {"mix": {"copy": 1.0}},
    "second names": {"alias_rate": 0.5},
}


def _lookups(graph: Graph, pattern: str) -> list[tuple[int, int]]:
    """Entities with facts that are looked up by them: of a lookup by their subject, of an
    intersection by their object, too.
    """
    asked = PATTERNS[pattern](graph, 2000, np.random.default_rng(0))
    looks = {look for question in asked for look in question.lookups()}
    by_subject = pattern == "lookup"
    return sorted(look for look in looks if (look[1] // COLUMNS == look[0]) == by_subject)


def retrieval() -> list[dict[str, Any]]:
    """Recall@5 of a page that states the fact asked for, in a world of 20,000 pages."""
    rows = []
    for dial, settings in DIALS.items():
        graph = Graph(15_000, 7)
        corpus = Corpus(graph, 20_000, 7, **settings)
        world = KnowledgeWorld(7, 20_000, **settings)
        looks = {"subject": _lookups(graph, "lookup"), "object": _lookups(graph, "intersection")}
        engines = {name: make_engines(corpus, name, "single")["search"]
                   for name in ("bm25", "dense", "hybrid", "reranked")}  # fmt: skip
        engines["bm25, 30% replaced"] = Degraded(engines["bm25"], len(corpus), 0.3)
        engines["bm25, a word in four dropped"] = NoisyQueries(engines["bm25"], drop=0.25)
        for name, engine in engines.items():
            row: dict[str, Any] = {"dial": dial, "retriever": name}
            for side, some in looks.items():
                found = engine.search([world.query(*look) for look in some], TOP_K).pages
                row[side] = float(
                    np.mean([any(world.states(int(page), fact) for page in pages)
                             for pages, (_, fact) in zip(found, some, strict=True)])
                )  # fmt: skip
            rows.append(row)
            print(row, flush=True)
    return rows


def difficulty() -> dict[str, Any]:
    """Success of scripted searchers by pattern, and of the greedy one by dispersion."""
    kwargs = {"actions": "text", "documents": 20_000}
    rows = []
    patterns = [p for p in SOLVED if p != "mask"] + ["comparison"]
    agents = ("oracle", "greedy-search", "single-shot", "guesser")
    for pattern in track(patterns, "patterns"):
        row: dict[str, Any] = {
            "pattern": pattern,
            "hops": len(PATTERNS[pattern](Graph(15_000, 0), 1, np.random.default_rng(0))[0].edges),
            "treewidth": TREEWIDTH.get(pattern, 1),
        }
        for name in agents:
            played = evaluate(
                entry(name).load()(), ID, episodes=1000, questions=(pattern,), **kwargs
            )
            row[name] = played.return_mean
            row[f"{name}_interval"] = mean_interval(played.returns)
        rows.append(row)
    return {"patterns": rows, "dispersion": _dispersion()}


SPREAD = (("mask", "single-shot"), ("chain4", "greedy-search"))


def _dispersion() -> list[dict[str, Any]]:
    """Success by the least number of pages that tell all: of constraints, and of chains."""
    rows = []
    for pattern, name in SPREAD:
        env: Any = gymnasium.make_vec(
            ID, num_envs=2000, documents=20_000, actions="text", questions=(pattern,),
            autoreset_mode="SAME_STEP",
        )  # fmt: skip
        seen = env.reset(seed=0)
        problem, states = env.unwrapped.prototype, env.unwrapped.states
        pages = np.array([problem.world.dispersion(problem.question(state)) for state in states])
        worth, over = np.zeros(2000), np.zeros(2000, bool)
        for step in interact(entry(name).load()(), env.unwrapped, seen, 0):
            first = step.ended & ~over
            worth[first] = step.rewards[first]
            over |= step.ended
            if over.all():
                break
        for n in np.unique(pages):
            some = worth[pages == n]
            if len(some) >= 30:
                rows.append(
                    {"pattern": pattern, "agent": name, "pages": int(n), "questions": len(some),
                     "success": float(some.mean()), "interval": mean_interval(some)}
                )  # fmt: skip
    return rows


#: PPO on the menu: a network whose slots are the actions.
SEEDS, STEPS = 5, 700_000
LEARNER = {"network": "slots", "hidden": (16,), "learning_rate": 2e-3, "entropy_coef": 0.02}


def _learned(seed: int) -> dict[str, Any]:
    """One training, and its success on 1,000 questions of another world."""
    import torch

    torch.set_num_threads(1)
    row = entry("ppo")
    config = dataclasses.asdict(dataclasses.replace(row.config_class()(), **LEARNER))
    task = Task(ID, STEPS, row.load().default_num_envs, {}, seed)
    with tempfile.TemporaryDirectory() as place:
        summary = train(RunConfig("ppo", task, config), Path(place) / "run")
        agent, _ = load_agent(Path(place) / "run")
        played = evaluate(agent, ID, episodes=1000, world_seed=1).returns
    kept = {key: summary[key] for key in ("env_steps", "wall_seconds")}
    return {"seed": seed, "success": float(played.mean()), **kept}


def learning() -> dict[str, Any]:
    """PPO on the default menu beside greedy search, on the same questions of another world."""
    greedy = evaluate(entry("greedy-search").load()(), ID, episodes=1000, world_seed=1).returns
    with ProcessPoolExecutor(2) as pool:
        runs = list(pool.map(_learned, range(SEEDS)))
    gains = np.array([run["success"] for run in runs]) - greedy.mean()
    return {
        "greedy-search": float(greedy.mean()),
        "runs": runs,
        "gain": float(gains.mean()),
        "interval": mean_interval(gains),
        "passed": bool(mean_interval(gains)[0] > 0),
        "hyperparameters": LEARNER,
    }


PARTS = {
    "questions": questions,
    "speed": speed,
    "retrieval": retrieval,
    "difficulty": difficulty,
    "learning": learning,
}


def main():
    """Measure, and write `results/knowledge_world.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all, if none is named")
    wanted = parser.parse_args().parts or PARTS
    for part in wanted:
        measured = PARTS[part]()
        path = RESULTS / "knowledge_world.json"
        found = json.loads(path.read_text()) if path.exists() else {}
        write_result("knowledge_world", found | {part: measured})


if __name__ == "__main__":
    main()
