"""The facts of a fictional world, as arrays."""

import functools
from typing import Any

import numpy as np

from .names import Names
from .schema import (
    ATTRIBUTES,
    ATTRIBUTES_PER_TYPE,
    COLUMNS,
    COMPANY,
    PERSON,
    RELATIONS,
    RELATIONS_PER_TYPE,
    TYPES,
)

Array = np.ndarray[Any, Any]

#: How uneven the popularity of objects is: that of rank k falls as k^(1/_UNEVEN − 1).
_UNEVEN = 2.0
# Shares of the persons that are placed in a closed figure of each kind; by chance alone there
# would be next to none.
_RING, _DIAMOND, _CLIQUE = 0.15, 0.15, 0.1
_BIRTHPLACE, _EMPLOYER, _MENTOR = 0, 1, 2
_FOUNDER, _SEAT = 0, 1


class Graph:
    """A world: entities of `TYPES`, each with all relations and attributes of its type.

    Facts are numbered: fact `head · COLUMNS + column` tells what a column of an entity holds,
    columns being the relations of its type followed by its attributes.

    Args:
        entities: how many; they are shared out evenly among the types.
        seed: all facts are drawn from it.
        names_seed: the names are; None for the same seed.

    Attributes:
        n: how many entities there are.
        bounds: (types + 1,) where the entities of each type begin; those of a type stand together.
        types: (n,) `int8`, indices into `TYPES`.
        tails: (n, RELATIONS_PER_TYPE) `int32`, the objects of each entity's relations.
        values: (n, ATTRIBUTES_PER_TYPE) `int32`.
        names: numbers below `n` are entities, `n + entity` is an entity's other name.
    """

    def __init__(self, entities: int, seed: int, names_seed: int | None = None):
        rng = np.random.default_rng([seed, entities])
        self.n, self.names = entities, Names(seed if names_seed is None else names_seed)
        self.types = np.sort(np.arange(entities) % len(TYPES)).astype(np.int8)
        self.bounds = np.searchsorted(self.types, np.arange(len(TYPES) + 1))
        self.tails = np.empty((entities, RELATIONS_PER_TYPE), np.int32)
        self.values = np.empty((entities, ATTRIBUTES_PER_TYPE), np.int32)
        for i, relation in enumerate(RELATIONS):
            heads, tails = self.of_type(relation.head), self.of_type(relation.tail)
            drawn = _one_each if relation.cardinality == "1-1" else _popular
            self.tails[heads.start : heads.stop, i % RELATIONS_PER_TYPE] = drawn(heads, tails, rng)
        for i, attribute in enumerate(ATTRIBUTES):
            heads = self.of_type(attribute.head)
            self.values[heads.start : heads.stop, i % ATTRIBUTES_PER_TYPE] = rng.integers(
                attribute.low, attribute.high, len(heads)
            )
        self._close_figures(rng)

    def of_type(self, type_: int) -> range:
        """The entities of a type."""
        return range(int(self.bounds[type_]), int(self.bounds[type_ + 1]))

    def name(self, number: int) -> str:
        """The name of an entity, or its other name; capitalised."""
        return self.names.write(number).capitalize()

    def read_name(self, name: str) -> int:
        """The entity that has a name, in any case; −1 for none."""
        number = self.names.read(name.lower())
        return number % self.n if 0 <= number < 2 * self.n else -1

    def value(self, fact: int) -> int:
        """What a fact tells: an entity, or a number."""
        head, column = divmod(fact, COLUMNS)
        if column < RELATIONS_PER_TYPE:
            return int(self.tails[head, column])
        return int(self.values[head, column - RELATIONS_PER_TYPE])

    @functools.cached_property
    def inverse(self) -> tuple[tuple[Array, Array], ...]:
        """For each relation its subjects, sorted by object, and where each object's begin.

        The first is (subjects,) `int32`; the second (objects + 1,) starts with the first entity
        of the relation's object type.
        """
        found = []
        for i, relation in enumerate(RELATIONS):
            heads, tails = self.of_type(relation.head), self.of_type(relation.tail)
            column = self.tails[heads.start : heads.stop, i % RELATIONS_PER_TYPE]
            order = np.argsort(column, kind="stable")
            starts = np.searchsorted(column[order], np.arange(tails.start, tails.stop + 1))
            found.append(((heads.start + order).astype(np.int32), starts))
        return tuple(found)

    def subjects(self, relation: int, tail: int) -> Array:
        """The entities whose relation (an index into `RELATIONS`) is an entity, ascending."""
        heads, starts = self.inverse[relation]
        place = tail - int(self.bounds[RELATIONS[relation].tail])
        return heads[starts[place] : starts[place + 1]]

    def _close_figures(self, rng: np.random.Generator) -> None:
        """Lay persons in triangles, in squares, and in figures of four of which all are related."""
        persons, companies = self.of_type(PERSON), self.of_type(COMPANY)
        people, firms = self.tails[persons.start : persons.stop], self.tails[companies.start :]
        order = rng.permutation(len(persons))
        ring, diamond, clique, rest = (
            part
            for part in np.split(
                order, (np.cumsum([_RING, _DIAMOND, _CLIQUE]) * len(order)).astype(int)
            )
        )
        # Cliques: a company based in the founder's birthplace, and a pupil of the founder who
        # works there and was born there.
        chosen = rng.permutation(len(companies))[: len(clique)]
        founders = rest[: len(chosen)]
        clique, chosen = clique[: len(founders)], chosen[: len(founders)]
        firms[chosen, _FOUNDER] = persons.start + founders
        people[founders, _BIRTHPLACE] = firms[chosen, _SEAT]
        people[clique, _EMPLOYER] = companies.start + chosen
        people[clique, _MENTOR] = persons.start + founders
        people[clique, _BIRTHPLACE] = firms[chosen, _SEAT]
        # Rings: born where the employer is based.
        people[ring, _BIRTHPLACE] = firms[people[ring, _EMPLOYER] - companies.start, _SEAT]
        # Diamonds: the employer is based where the mentor was born.
        seats = firms[: len(companies), _SEAT]
        by_seat = np.argsort(seats, kind="stable")
        wanted = people[people[diamond, _MENTOR] - persons.start, _BIRTHPLACE]
        first, last = (np.searchsorted(seats[by_seat], wanted, side=s) for s in ("left", "right"))
        there = last > first
        pick = first[there] + (rng.random(there.sum()) * (last - first)[there]).astype(int)
        people[diamond[there], _EMPLOYER] = companies.start + by_seat[pick]


def _popular(heads: range, tails: range, rng: np.random.Generator) -> Array:
    """An object for each subject, some far more often than others; none is its own object."""
    rank = (len(tails) * rng.random(len(heads)) ** _UNEVEN).astype(int)
    drawn = tails.start + rng.permutation(len(tails))[rank]
    own = drawn == np.arange(heads.start, heads.stop)
    return np.where(own, tails.start + (drawn - tails.start + 1) % len(tails), drawn)


def _one_each(heads: range, tails: range, rng: np.random.Generator) -> Array:
    """A different object for each subject, as long as there are any; none is its own object."""
    order = rng.permutation(len(tails))
    if heads == tails:
        # Along a circle through all of them nobody comes upon itself.
        drawn = np.empty(len(heads), int)
        drawn[order] = np.roll(order, -1)
        return tails.start + drawn
    return tails.start + order[np.arange(len(heads)) % len(tails)]
