"""The problems of Strips: read from PDDL files, or drawn."""

import functools
from pathlib import Path
from typing import Any

import numpy as np

from ..kernel import InvalidArgumentError
from .pddl_tasks import Domain, Problem, read_domain, read_problem
from .strips_domains import FAMILIES, domain_file, draw_problem
from .strips_grounding import Task, ground

#: A domain, its problems, and what they were grounded to.
Bank = tuple[Domain, list[Problem], Task]


@functools.lru_cache(maxsize=16)
def draw_bank(domain: str, size: int | None, split: str, problems: int, seed: int) -> Bank:
    """Problems of one of the eight domains; smaller banks are the beginnings of larger ones."""
    schemas = read_domain(domain_file(domain))
    drawn = [
        draw_problem(domain, np.random.default_rng([seed, split == "test", k]), size, split)
        for k in range(problems)
    ]
    return schemas, drawn, ground(schemas, drawn)


def read_bank(domain: str, problem: str) -> Bank:
    """The problems of a file or a folder."""
    schemas = read_domain(domain_file(domain) if domain in FAMILIES else domain)
    files = [Path(problem)]
    if files[0].is_dir():
        files = sorted(f for f in files[0].glob("*.pddl") if not f.name.startswith("domain"))
    if not files:
        raise InvalidArgumentError(f"the folder {problem!r} has no .pddl files of problems")
    read = [read_problem(file, schemas) for file in files]
    return schemas, read, ground(schemas, read)


def check_drawn(domain: Any, size: Any, split: Any, problems: Any, problems_seed: Any) -> None:
    """Refuse arguments of drawn problems that are out of range."""
    if domain not in FAMILIES:
        raise InvalidArgumentError(
            f"domain must be one of {list(FAMILIES)}, or the path of a PDDL file with problem= "
            f"beside it; got {domain!r}"
        )
    if split not in ("train", "test"):
        raise InvalidArgumentError(f"split must be 'train' or 'test'; got {split!r}")
    least = FAMILIES[domain].least
    for name, value, smallest in (
        ("size", least if size is None else size, least),
        ("problems", problems, 1),
        ("problems_seed", problems_seed, 0),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
            raise InvalidArgumentError(f"{name} must be an integer ≥ {smallest}; got {value!r}")
