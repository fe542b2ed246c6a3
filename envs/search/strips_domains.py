"""Problems of the eight domains of Strips, drawn so that each can be solved.

The domains are those of the learning track of the International Planning Competition 2023
(Taitler et al. 2024, "The 2023 International Planning Competition"); their actions are in
`assets/pddl`. One number says how large a problem is, and the other counts follow from it.
"""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .pddl_tasks import Atom, Problem
from .sokoban_levels import generate, unpack

Rng = np.random.Generator
_FOLDER = Path(__file__).parents[2] / "assets" / "pddl"


class Family(NamedTuple):
    """A domain with a generator.

    Attributes:
        draw: makes a problem of a size.
        counts: what the size counts.
        least: the smallest size.
        train, test: the smallest and largest size of the two splits.
    """

    draw: Callable[[Rng, int], Problem]
    counts: str
    least: int
    train: tuple[int, int]
    test: tuple[int, int]


def domain_file(name: str) -> Path:
    """The PDDL file of a domain that comes with the package."""
    return _FOLDER / f"{name}.pddl"


def _named(stem: str, n: int) -> list[str]:
    return [f"{stem}{k}" for k in range(1, n + 1)]


def _problem(name: str, kinds: dict[str, list[str]], init: list[Atom], goal: list[Atom]) -> Problem:
    """A problem from its objects by types."""
    objects = {thing: kind for kind, things in kinds.items() for thing in things}
    return Problem(name, objects, frozenset(init), frozenset(goal))


def _towers(rng: Rng, blocks: list[str]) -> list[Atom]:
    """What stands on what, each block in turn being put on the table or on a tower."""
    tops: list[str] = []
    facts: list[Atom] = []
    for block in rng.permutation(blocks).tolist():
        k = int(rng.integers(len(tops) + 1))
        if k == len(tops):
            tops.append(block)
            facts.append(("on-table", block))
        else:
            facts.append(("on", block, tops[k]))
            tops[k] = block
    return facts


def blocksworld(rng: Rng, n: int) -> Problem:
    """N blocks, from some towers to others."""
    blocks = _named("b", n)
    while True:
        init, last = _towers(rng, blocks), _towers(rng, blocks)
        goal = [fact for fact in last if fact[0] == "on"]
        if not set(goal) <= set(init):
            break
    below = {fact[2] for fact in init if fact[0] == "on"}
    clear: list[Atom] = [("clear", block) for block in blocks if block not in below]
    return _problem("blocksworld", {"block": blocks}, [("arm-empty",), *init, *clear], goal)


def childsnack(rng: Rng, n: int) -> Problem:
    """N children at up to three tables, with bread and content enough for each."""
    children, tables = _named("child", n), _named("table", min(n, 3))
    breads, contents = _named("bread", n), _named("content", n)
    sandwiches, trays = _named("sandwich", n + n // 3), _named("tray", 1 + n // 4)
    allergic = rng.random(n) < 0.4
    init: list[Atom] = [("at", tray, "kitchen") for tray in trays]
    init += [("at-kitchen-bread", bread) for bread in breads]
    init += [("at-kitchen-content", content) for content in contents]
    init += [("not-made", sandwich) for sandwich in sandwiches]
    for k, child in enumerate(children):
        init.append(("waiting", child, str(rng.choice(tables))))
        init.append(("allergic-gluten" if allergic[k] else "not-allergic-gluten", child))
    init += [("no-gluten-bread", bread) for bread in breads[: allergic.sum()]]
    init += [("no-gluten-content", content) for content in contents[: allergic.sum()]]
    kinds = {
        "child": children,
        "bread-portion": breads,
        "content-portion": contents,
        "sandwich": sandwiches,
        "tray": trays,
        "place": tables,
    }
    return _problem("childsnack", kinds, init, [("served", child) for child in children])


def floortile(rng: Rng, n: int) -> Problem:
    """A floor of n columns and n rows like a chessboard, above a row that stays as it is.

    Robots can go down to that row and paint each column from its top.
    """
    tiles = {(row, col): f"t{row}-{col}" for row in range(n + 1) for col in range(n)}
    robots, colours = _named("robot", 1 + n // 3), ["white", "black"]
    stands = rng.permutation(list(tiles.values()))[: len(robots)].tolist()
    init: list[Atom] = [("available", colour) for colour in colours]
    for robot, tile in zip(robots, stands, strict=True):
        init += [("robot-at", robot, tile), ("robot-has", robot, str(rng.choice(colours)))]
    for (row, col), tile in tiles.items():
        if tile not in stands:
            init.append(("clear", tile))
        if row > 0:
            init.append(("above", tile, tiles[row - 1, col]))
        if col > 0:
            init.append(("right-of", tile, tiles[row, col - 1]))
    turned = int(rng.integers(2))
    goal: list[Atom] = [
        ("painted", tile, colours[(row + col + turned) % 2])
        for (row, col), tile in tiles.items()
        if row > 0
    ]
    kinds = {"robot": robots, "tile": list(tiles.values()), "colour": colours}
    return _problem("floortile", kinds, init, goal)


def miconic(rng: Rng, n: int) -> Problem:
    """N passengers in a house of n + 2 floors."""
    passengers, floors = _named("p", n), _named("f", n + 2)
    init: list[Atom] = [("lift-at", str(rng.choice(floors)))]
    init += [("above", low, high) for k, low in enumerate(floors) for high in floors[k + 1 :]]
    for passenger in passengers:
        origin, destin = rng.permutation(floors)[:2].tolist()
        init += [("origin", passenger, origin), ("destin", passenger, destin)]
    goal: list[Atom] = [("served", passenger) for passenger in passengers]
    return _problem("miconic", {"passenger": passengers, "floor": floors}, init, goal)


def rovers(rng: Rng, n: int) -> Problem:
    """N goals, samples and images in turn; every rover can do and reach everything it is asked."""
    crew, waypoints = _named("rover", 1 + n // 4), _named("waypoint", n + 2)
    cameras, stores = _named("camera", len(crew)), _named("store", len(crew))
    objectives, modes = _named("objective", 1 + n // 3), ["colour", "high-res", "low-res"]
    roads = _connected(rng, waypoints)
    init: list[Atom] = [("visible", a, b) for a, b in roads]
    init += [("can-traverse", rover, a, b) for rover in crew for a, b in roads]
    init.append(("at-lander", "general", str(rng.choice(waypoints))))
    for rover, camera, store in zip(crew, cameras, stores, strict=True):
        init += [
            ("at", rover, str(rng.choice(waypoints))),
            ("store-of", store, rover),
            ("empty", store),
            ("on-board", camera, rover),
            ("calibration-target", camera, str(rng.choice(objectives))),
            ("equipped-for-soil-analysis", rover),
            ("equipped-for-rock-analysis", rover),
            ("equipped-for-imaging", rover),
            *(("supports", camera, mode) for mode in modes),
        ]
    for objective in objectives:
        seen = rng.permutation(waypoints)[: int(rng.integers(1, 4))].tolist()
        init += [("visible-from", objective, waypoint) for waypoint in seen]
    goal: list[Atom] = []
    wanted = iter(rng.permutation([(o, m) for o in objectives for m in modes]).tolist())
    for k, place in enumerate(rng.permutation(waypoints)[:n].tolist()):
        kind = ("soil", "rock", "image")[k % 3]
        if kind == "image":
            goal.append(("communicated-image-data", *next(wanted)))
        else:
            init.append((f"at-{kind}-sample", place))
            goal.append((f"communicated-{kind}-data", place))
    kinds = {
        "rover": crew,
        "waypoint": waypoints,
        "store": stores,
        "camera": cameras,
        "mode": modes,
        "lander": ["general"],
        "objective": objectives,
    }
    return _problem("rovers", kinds, init, goal)


def sokoban(rng: Rng, n: int) -> Problem:
    """A level with n boxes, each of which is to go where the level's plan brings it."""
    side = 5 + n
    levels = generate(1, int(rng.integers(2**31)), side, n, 2 * n, 12 * side)
    walls, boxes = (unpack(s[0], side * side) for s in (levels.walls, levels.boxes))
    cells = [(row, col) for row in range(1, side - 1) for col in range(1, side - 1)]
    names = {row * side + col: f"l{row}-{col}" for row, col in cells}
    player, now = int(levels.players[0]), np.flatnonzero(boxes).tolist()
    init: list[Atom] = [("at-robot", names[player])]
    init += [("at", box, names[cell]) for box, cell in zip(_named("box", n), now, strict=True)]
    init += [
        ("clear", name)
        for cell, name in names.items()
        if not walls[cell] and not boxes[cell] and cell != player
    ]
    moves = {"up": -side, "down": side, "left": -1, "right": 1}
    for way, d in moves.items():
        init += [("adjacent", a, names[c + d], way) for c, a in names.items() if c + d in names]
    for action in levels.plans[0][: levels.costs[0]].tolist():
        d = list(moves.values())[action]
        player += d
        now = [cell + d if cell == player else cell for cell in now]
    goal: list[Atom] = [
        ("at", box, names[cell]) for box, cell in zip(_named("box", n), now, strict=True)
    ]
    kinds = {"location": list(names.values()), "direction": list(moves), "box": _named("box", n)}
    return _problem("sokoban", kinds, init, goal)


def spanner(rng: Rng, n: int) -> Problem:
    """N nuts at the gate, and half as many spanners again on the way there."""
    path = ["shed", *_named("location", n + 1), "gate"]
    spanners, nuts = _named("spanner", n + n // 2), _named("nut", n)
    init: list[Atom] = [("link", a, b) for a, b in itertools.pairwise(path)]
    init.append(("at", "bob", "shed"))
    for tool in spanners:
        init += [("at", tool, str(rng.choice(path[1:-1]))), ("usable", tool)]
    for nut in nuts:
        init += [("at", nut, "gate"), ("loose", nut)]
    kinds = {"location": path, "man": ["bob"], "spanner": spanners, "nut": nuts}
    return _problem("spanner", kinds, init, [("tightened", nut) for nut in nuts])


def transport(rng: Rng, n: int) -> Problem:
    """N packages among n + 2 towns, and vehicles for two or three of them at a time."""
    towns, packages = _named("town", n + 2), _named("package", n)
    vehicles, numbers = _named("truck", 1 + n // 3), [f"capacity-{k}" for k in range(4)]
    init: list[Atom] = [("road", a, b) for a, b in _connected(rng, towns)]
    init += [("capacity-predecessor", a, b) for a, b in itertools.pairwise(numbers)]
    for vehicle in vehicles:
        init += [
            ("at", vehicle, str(rng.choice(towns))),
            ("capacity", vehicle, numbers[int(rng.integers(2, 4))]),
        ]
    goal: list[Atom] = []
    for package in packages:
        origin, destin = rng.permutation(towns)[:2].tolist()
        init.append(("at", package, origin))
        goal.append(("at", package, destin))
    kinds = {
        "location": towns,
        "vehicle": vehicles,
        "package": packages,
        "capacity-number": numbers,
    }
    return _problem("transport", kinds, init, goal)


def _connected(rng: Rng, places: list[str]) -> list[tuple[str, str]]:
    """Roads in both directions: a random tree, and half as many beside it."""
    order = rng.permutation(places).tolist()
    roads = {(order[k], order[int(rng.integers(k))]) for k in range(1, len(order))}
    for _ in range(len(order) // 2):
        a, b = rng.permutation(places)[:2].tolist()
        roads.add((a, b))
    return sorted(roads | {(b, a) for a, b in roads})


FAMILIES: dict[str, Family] = {
    "blocksworld": Family(blocksworld, "blocks", 2, (3, 5), (6, 10)),
    "childsnack": Family(childsnack, "children", 1, (1, 2), (3, 6)),
    "floortile": Family(floortile, "columns", 2, (2, 2), (3, 5)),
    "miconic": Family(miconic, "passengers", 1, (1, 4), (5, 10)),
    "rovers": Family(rovers, "goals", 1, (1, 3), (4, 8)),
    "sokoban": Family(sokoban, "boxes", 1, (1, 2), (3, 5)),
    "spanner": Family(spanner, "nuts", 1, (1, 4), (5, 10)),
    "transport": Family(transport, "packages", 1, (1, 3), (4, 8)),
}


def draw_problem(name: str, rng: Rng, size: int | None, split: str) -> Problem:
    """A problem of a domain.

    Args:
        name: of the domain.
        rng: the source of chance.
        size: of the problem; None for one of the split's, drawn uniformly.
        split: `"train"` or `"test"`.
    """
    family = FAMILIES[name]
    if size is None:
        smallest, largest = getattr(family, split)
        size = int(rng.integers(smallest, largest + 1))
    return family.draw(rng, size)
