"""Gittins indices beside published tables, Whittle indices beside closed forms."""

from typing import Any

import numpy as np

from spelunk.agents.bandit.gittins import gittins_indices
from spelunk.envs.bandit.whittle import whittle_indices

Array = np.ndarray[Any, Any]

TABLES = "Gittins, Glazebrook & Weber 2011, section 8"
BOOK = "Christian & Griffiths 2016, chapter 2"
#: Discount, wins, losses, index, and where it is published.
GITTINS = (
    (0.9, 0, 0, 0.7029, TABLES), (0.9, 1, 0, 0.8001, TABLES), (0.9, 0, 1, 0.5001, TABLES),
    (0.9, 1, 1, 0.6346, BOOK), (0.9, 2, 2, 0.6010, BOOK), (0.9, 9, 1, 0.8695, BOOK),
    (0.9, 9, 6, 0.6300, BOOK), (0.95, 0, 0, 0.7614, TABLES), (0.99, 0, 0, 0.8699, TABLES),
    (0.99, 1, 0, 0.9102, TABLES), (0.99, 0, 1, 0.7005, TABLES),
)  # fmt: skip


def ageing(success: float, count: int = 120) -> tuple[Array, Array]:
    """Transitions and rewards of an age 1, 2, … that each step costs, renewed with a chance."""
    older = np.eye(count, k=1)
    older[-1, -1] = 1.0
    renewed = (1 - success) * older
    renewed[:, 0] += success
    cost = -np.arange(1.0, count + 1)
    return np.stack([older, renewed]), np.stack([cost, cost])


def whittle_arms() -> list[tuple[str, Array, Array, float]]:
    """Arms with their indices, the closed forms of these, and how near they must be, relatively."""
    p, s, gamma, poor, good = 0.3, 0.6, 0.9, 0.1, 1.0
    resting = np.array([np.eye(2), [[1 - p, p], [1 - s, s]]])
    stay = gamma * p / (1 - gamma * s)
    gittins = np.array([(poor + stay * good) / (1 + stay), good])
    rng = np.random.default_rng(1)
    chances, pays = rng.dirichlet(np.ones(4), (2, 4)), rng.random(4)
    arms = [
        ("two states at rest while passive: Gittins indices",
         whittle_indices(resting, np.array([[0, 0], [poor, good]]), gamma), gittins, 1e-9),
        ("no future: the reward",
         whittle_indices(chances, np.stack([0 * pays, pays]), 0.0), pays, 1e-9),
    ]  # fmt: skip
    age = np.arange(1, 7)
    for success in (1.0, 0.8, 0.5):
        found = whittle_indices(*ageing(success), gamma=0.99999)[:6]
        form = success * age / 2 * (age + 2 / success - 1)
        arms.append((f"age of information, p = {success} (Kadota et al. 2018)", found, form, 1e-3))
    return arms


def measure() -> dict[str, list[dict[str, Any]]]:
    """Gittins and Whittle indices beside values from elsewhere."""
    gittins = []
    for discount, wins, losses, published, source in GITTINS:
        ours = float(gittins_indices(discount, 20)[wins, losses])
        gittins.append(
            {"discount": discount, "wins": wins, "losses": losses, "index": ours,
             "published": published, "source": source,
             "passed": abs(ours - published) <= 1e-4}
        )  # fmt: skip
    whittle = [
        {"arm": words, "indices": ours.tolist(), "closed_form": form.tolist(),
         "error": float(abs(ours / form - 1).max()), "tolerance": within,
         "passed": bool((abs(ours / form - 1) <= within).all())}
        for words, ours, form, within in whittle_arms()
    ]  # fmt: skip
    return {"gittins": gittins, "whittle": whittle}
