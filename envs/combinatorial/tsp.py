"""TSP: the travelling salesman's tour, built city by city."""

import math
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from ..kernel import InvalidArgumentError, KernelEnv, Kernels, StateLayout, kernel, rng
from ..kernel.render import Canvas
from . import tsplib
from .local_search import best_tour, tour_length


class Params(NamedTuple):
    """Fixed for the life of the environment; empty arrays where each episode draws its cities."""

    coordinates: np.ndarray[Any, np.dtype[np.float32]]
    distances: np.ndarray[Any, np.dtype[np.float64]]


@kernel
def reset_random(state, params):
    """Cities uniformly in the unit square."""
    for city in range(state.order.shape[0]):
        state.coordinates[city, 0] = rng.uniform(state)
        state.coordinates[city, 1] = rng.uniform(state)
    reset_tour(state, params)


@kernel
def reset_given(state, params):
    """The cities of the file."""
    for city in range(state.order.shape[0]):
        state.coordinates[city, 0] = params.coordinates[city, 0]
        state.coordinates[city, 1] = params.coordinates[city, 1]
    reset_tour(state, params)


@kernel
def reset_tour(state, params):
    """The tour starts in city 0, and so far it holds nothing else."""
    for city in range(state.order.shape[0]):
        state.order[city] = -1
    state.order[0] = 0
    state.current = 0
    state.left = 0
    state.visits = 1


@kernel
def visit(state, city):
    """Go to a city; whether it was the last."""
    state.order[city] = state.visits
    state.left = state.current
    state.current = city
    state.visits += 1
    return state.visits == state.order.shape[0]


@kernel
def straight(state, a, b):
    """The Euclidean distance of two cities."""
    dx = np.float64(state.coordinates[a, 0]) - np.float64(state.coordinates[b, 0])
    dy = np.float64(state.coordinates[a, 1]) - np.float64(state.coordinates[b, 1])
    return math.sqrt(dx * dx + dy * dy)


@kernel
def step_random(state, action, params):
    """Travel in a straight line; from the last city back to the first."""
    length = straight(state, int(state.current), action)
    closed = visit(state, action)
    if closed:
        length += straight(state, action, 0)
    return -length, closed


@kernel
def step_given(state, action, params):
    """Travel by the table of distances; from the last city back to the first."""
    length = params.distances[int(state.current), action]
    closed = visit(state, action)
    if closed:
        length += params.distances[action, 0]
    return -length, closed


@kernel
def legal(state, params, mask):
    """Each city is visited once."""
    for city in range(mask.shape[0]):
        mask[city] = state.order[city] < 0


@kernel
def goal(state, params):
    """The tour is closed."""
    return state.visits == state.order.shape[0]


@kernel
def canonical(state, params):
    """What is left to do does not depend on the order in which cities were visited."""
    for city in range(state.order.shape[0]):
        if state.order[city] > 0:
            state.order[city] = 0


@kernel
def observe_coordinates(state, params, obs):
    """Where the cities are and which have been visited."""
    for city in range(state.order.shape[0]):
        obs.coordinates[city, 0] = state.coordinates[city, 0]
        obs.coordinates[city, 1] = state.coordinates[city, 1]
    mark(state, obs.visited, obs.current)


@kernel
def update_coordinates(state, params, obs):
    """The cities stay where they are."""
    obs.visited[state.current] = 1
    obs.current[state.left] = 0
    obs.current[state.current] = 1


@kernel
def observe_distances(state, params, obs):
    """How far the cities are from here and which have been visited."""
    for city in range(state.order.shape[0]):
        obs.distances[city] = params.distances[int(state.current), city]
    mark(state, obs.visited, obs.current)


@kernel
def mark(state, visited, current):
    """Write who has been visited, and the present city as one-hot."""
    for city in range(state.order.shape[0]):
        visited[city] = state.order[city] >= 0
        current[city] = city == state.current


class TSP(KernelEnv):
    """
    ## Description
    Visit every city once and return to the first, by the shortest way: the travelling salesman
    problem. A tour is built city by city, the construction that learned routing policies use
    (Bello et al. 2016, "Neural combinatorial optimization with reinforcement learning").

    ## Observation Space
    `Dict` of
    - `coordinates`: `Box(0, 1, (cities, 2), float32)`, or in the range of the file's;
    - `visited`: `Box(0, 1, (cities,), uint8)`, 1 for the cities in the tour so far;
    - `current`: `Box(0, 1, (cities,), uint8)`, one-hot, the city the salesman is in.

    A file that gives a matrix and no coordinates has `distances`, `Box(0, max, (cities,),
    float32)`, from the present city to each, in the place of `coordinates`.

    ## Action Space
    `Discrete(cities)`: the city to go to next. Cities that have been visited are illegal and
    masked; after the last there is no legal action.

    ## Rewards
    Minus the distance travelled; the last step includes the way back to the first city. The return
    is minus the length of the tour. Distances are Euclidean in the unit square, or those of the
    file in its own unit, rounded as TSPLIB says.

    ## Starting State
    Cities drawn uniformly in the unit square, or those of the file. The tour starts in city 0.

    ## Episode End
    Terminated when every city has been visited, after `cities − 1` steps. There is no other time
    limit by default.

    ## Arguments
    - `cities`: the number of cities, 3 to 5,000 (default 20, or as many as the file has).
    - `file`: the path of a TSPLIB file of `TYPE: TSP` with up to 5,000 cities; nothing is random
      then. `EDGE_WEIGHT_TYPE` may be EUC_2D, CEIL_2D, MAN_2D, MAX_2D, ATT, GEO or EXPLICIT with
      any matrix format.
    - `max_episode_steps`: a time limit (default −1: none).

    ## Reference Scores
    `spelunk.reference("spelunk/TSP-v0")`: the random policy, and the best tours known: exact up to
    12 cities, by iterated local search beyond.

    ## Version History
    - v0: first version.
    """

    best_source = (
        "shortest tours: exact up to 12 cities, best known by iterated local search beyond"
    )

    def __init__(
        self,
        cities: int | None = None,
        file: str | None = None,
        max_episode_steps: int = -1,
        render_mode: str | None = None,
    ):
        instance = None if file is None else tsplib.load(file)
        if cities is None:
            cities = 20 if instance is None else len(instance.distances)
        if isinstance(cities, bool) or not isinstance(cities, int) or not 3 <= cities <= 5000:
            raise InvalidArgumentError(f"cities must be an integer from 3 to 5000; got {cities!r}")
        if instance is not None and len(instance.distances) != cities:
            raise InvalidArgumentError(
                f"file {file!r} has {len(instance.distances)} cities; leave cities={cities} out"
            )
        self.cities = cities
        self._instance = instance
        self._best: float | None = None
        flags = {name: spaces.Box(0, 1, (cities,), np.uint8) for name in ("visited", "current")}
        place: tuple[Any, ...] = ("coordinates", np.float32, (cities, 2))
        coordinates, distances = np.empty((0, 2), np.float32), np.empty((0, 0))
        if instance is None:
            kernels = Kernels(
                reset_random,
                step_random,
                observe_coordinates,
                legal,
                goal,
                update_coordinates,
                canonical,
            )
            first: dict[str, spaces.Space[Any]] = {
                "coordinates": spaces.Box(0, 1, (cities, 2), np.float32)
            }
        elif instance.coordinates is None:
            distances = instance.distances
            kernels = Kernels(
                reset_tour, step_given, observe_distances, legal, goal, canonical=canonical
            )
            first = {"distances": spaces.Box(0, distances.max(), (cities,), np.float32)}
        else:
            distances, coordinates = instance.distances, instance.coordinates.astype(np.float32)
            kernels = Kernels(
                reset_given,
                step_given,
                observe_coordinates,
                legal,
                goal,
                update_coordinates,
                canonical,
            )
            low, high = coordinates.min(), coordinates.max()
            first = {"coordinates": spaces.Box(low, high, (cities, 2), np.float32)}
        super().__init__(
            kernels=kernels,
            layout=StateLayout(
                [place] if "coordinates" in first else [],
                [("order", np.int16, (cities,)), ("current", np.int16), ("visits", np.int16)],
                [("left", np.int16)],  # the city before
            ),
            params=Params(coordinates, distances),
            observation_space=spaces.Dict({**first, **flags}),
            action_space=spaces.Discrete(cities),
            max_episode_steps=max_episode_steps,
            render_mode=render_mode,
        )

    def distances(self, state: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The distances between all cities of a state, (cities, cities)."""
        if self._instance is not None:
            return self._instance.distances
        x, y = state["coordinates"].astype(np.float64).T
        return np.sqrt((x[:, None] - x) ** 2 + (y[:, None] - y) ** 2)

    def tour(self, state: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The cities visited so far, in order, (visits,)."""
        return state["order"].argsort()[-int(state["visits"]) :]

    def describe_state(self, state: Any) -> str:
        here, order = int(state["current"]), state["order"]
        away = self.distances(state)[here]
        been = ", ".join(str(city + 1) for city in self.tour(state))
        left = "; ".join(
            f"{city + 1}, {_short(away[city])} away" for city in np.flatnonzero(order < 0)
        )
        ahead = f"Cities left: {left}. After the last" if left else "All are visited, and"
        return (
            f"Visit all {self.cities} cities by a short tour. So far you have been to {been}; you "
            f"are in city {here + 1}. {ahead} you go back to city 1, {_short(away[0])} from here."
        )

    def draw_state(self, state: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
        size, margin = 480, 28
        canvas = Canvas(size, size + 28, "paper")
        spots: list[tuple[float, float]] = [
            (margin + x * (size - 2 * margin), margin + (1 - y) * (size - 2 * margin))
            for x, y in self._places(state)
        ]
        tour = self.tour(state).tolist()
        closed = len(tour) == self.cities
        radius = max(2.5, min(7.0, 80 / self.cities**0.5))
        if len(tour) > 1:
            path = [spots[city] for city in (tour + tour[:1] if closed else tour)]
            canvas.line(path, "blue", radius / 2.5)
        for city, (x, y) in enumerate(spots):
            visited = state["order"][city] >= 0
            canvas.circle(x, y, radius, "blue" if visited else "sand")
            if not visited:
                canvas.circle(x, y, radius, None, "grey", 1.5)
        for city, colour in ((tour[-1], "red"), (0, "green")):
            x, y = spots[city]
            if city == 0 or not closed:
                canvas.circle(x, y, radius * 1.3, colour)
        canvas.text(margin, size + 8, f"{len(tour)} of {self.cities} cities", "ink", 14, "lm")
        length = _short(-float(state["episode_return"]))
        canvas.text(size - margin, size + 8, f"length {length}", "ink", 14, "rm")
        return canvas.pixels()

    def show_state(self, state: Any) -> str:
        width, height = 56, 20
        rows = [[" "] * width for _ in range(height)]
        places, tour = self._places(state), self.tour(state).tolist()
        left = np.flatnonzero(state["order"] < 0).tolist()
        # Where cities share a spot, the one that matters most is shown: written last.
        symbols = [(tour, "."), (left, "o"), ([0], "S"), (tour[-1:], "@")]
        for city, symbol in ((city, symbol) for cities, symbol in symbols for city in cities):
            x, y = places[city]
            rows[round((1 - y) * (height - 1))][round(x * (width - 1))] = symbol
        length = _short(-float(state["episode_return"]))
        frame = "+" + "-" * width + "+"
        picture = [frame, *(f"|{''.join(row)}|" for row in rows), frame]
        names = " ".join(str(city + 1) for city in tour)
        return "\n".join([*picture, f"tour {names}", f"length {length}"])

    def action_words(self, action: Any) -> str:
        return f"go to {int(action) + 1}"

    def best_return(self, seed: int) -> float | None:
        if self._best is not None:
            return self._best
        distances = self.distances(self.model.reset([seed])[0])
        best = -tour_length(distances, best_tour(distances))
        if self._instance is not None:
            self._best = best
        return best

    def _places(self, state: Any) -> list[tuple[float, float]]:
        """Where to draw the cities, in the unit square with y upwards."""
        if self._instance is None:
            return [(float(x), float(y)) for x, y in state["coordinates"]]
        points = self._instance.display
        low, span = points.min(axis=0), np.ptp(points, axis=0)
        scaled = (points - low + (span.max() - span) / 2) / (span.max() or 1.0)
        return [(float(x), float(y)) for x, y in scaled]


def _short(length: float) -> str:
    """A distance in few digits."""
    return f"{length:.2f}" if length < 100 and length % 1 else f"{length:.0f}"
