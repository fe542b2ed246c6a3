"""Conservative exploration: regret, and episodes whose policy is worth too little (Li et al. 2023).

Four states, three actions, four steps; policies must be worth 0.8 of a known one.
"""

from typing import Any

import numpy as np
from rich.progress import track

from spelunk.agents.core.evaluation import mean_interval
from spelunk.agents.exploration.conservative import (
    UCBVI,
    EpsMix,
    StepMix,
    optimal_values,
    policy_value,
    random_mdp,
    softmax_policy,
)

SEEDS, EPISODES = 20, 30_000
#: Algorithms and factors of their bonus, which is that of the theory with 1. The first is the one
#: that the others are compared with.
EXPLORERS = ((UCBVI, 0.1), (StepMix, 0.1), (EpsMix, 0.1), (StepMix, 1.0), (EpsMix, 1.0))


def measure() -> list[dict[str, Any]]:
    """A row for each algorithm, over as many random problems as there are seeds."""
    regret, violations, late = np.zeros((3, len(EXPLORERS), SEEDS))
    for seed in track(range(SEEDS), "conservative exploration"):
        mdp = random_mdp(4, 3, 4, seed=seed)
        baseline = softmax_policy(mdp, 0.3)
        threshold = 0.8 * policy_value(mdp, baseline)
        best = mdp.start @ optimal_values(mdp)[0].max(axis=1)
        for i, (make, bonus) in enumerate(EXPLORERS):
            found = make(bonus).run(mdp, baseline, threshold, EPISODES, seed=seed)
            regret[i, seed] = (best - found.values).sum()
            violations[i, seed] = (found.values < threshold - 1e-9).sum()
            late[i, seed] = (found.switches[-EPISODES // 5 :] == mdp.horizon).mean()
    return [
        {
            "algorithm": make.__name__,
            "bonus": bonus,
            "regret": float(regret[i].mean()),
            "interval": mean_interval(regret[i]),
            "ratio": float((regret[i] / regret[0]).mean()),
            "largest_ratio": float((regret[i] / regret[0]).max()),
            "violations": float(violations[i].mean()),
            "violations_interval": mean_interval(violations[i]),
            "violations_per_episode": float(violations[i].mean() / EPISODES),
            "violating_runs": int((violations[i] > 0).sum()),
            "late_baseline": float(late[i].max()),
            **judge(make, bonus, regret[i] / regret[0], violations[i], late[i]),
        }
        for i, (make, bonus) in enumerate(EXPLORERS)
    ]


def judge(make: Any, bonus: float, ratio: Any, violations: Any, late: Any) -> dict[str, Any]:
    """What was expected of an algorithm in every run, (seeds,) each, and whether it came true."""
    never = bool((violations == 0).all())
    if make is UCBVI:
        return {"expected": "violations in each run", "passed": bool((violations > 0).all())}
    if bonus == 1.0:
        return {"expected": "no violation", "passed": never}
    return {
        "expected": "no violation; regret ≤ 2.5 × UCBVI's; late baseline ≤ 10%",
        "passed": never and bool(ratio.max() <= 2.5 and late.max() <= 0.1),
    }
