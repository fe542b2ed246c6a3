"""What a fictional world is made of: types, relations and attributes, and words for them.

Every entity of a type has each relation of the type to just one entity, and each attribute once.
Sentences come in variants, many of which do not name the relation.
"""

from typing import Literal, NamedTuple

TYPES = ("person", "city", "company", "book", "school")
PERSON, CITY, COMPANY, BOOK, SCHOOL = range(len(TYPES))
PLURALS = ("persons", "cities", "companies", "books", "schools")

#: Relations and attributes that every type has; they are its columns, in this order.
RELATIONS_PER_TYPE, ATTRIBUTES_PER_TYPE = 4, 2
COLUMNS = RELATIONS_PER_TYPE + ATTRIBUTES_PER_TYPE


class Relation(NamedTuple):
    """A relation, `{h}` being its subject and `{t}` its object.

    Attributes:
        word: its name, one lower-case word.
        head: the type of its subjects.
        tail: the type of its objects.
        cardinality: `"n-1"`, or `"1-1"` where no two subjects share an object.
        forward: sentences for the page of the subject.
        inverse: sentences for the page of the object.
    """

    word: str
    head: int
    tail: int
    cardinality: Literal["n-1", "1-1"]
    forward: tuple[str, ...]
    inverse: tuple[str, ...]


class Attribute(NamedTuple):
    """A number that an entity has, `{h}` being the entity and `{v}` the number.

    Attributes:
        word: its name, one lower-case word.
        head: the type of the entities.
        low, high: its range; `high` is left out.
        more: what having more of it is called, in comparisons.
        less: what having less of it is called.
        sentences: how it is told.
    """

    word: str
    head: int
    low: int
    high: int
    more: str
    less: str
    sentences: tuple[str, ...]


#: By type, `RELATIONS_PER_TYPE` each.
RELATIONS = (
    Relation(
        "birthplace", PERSON, CITY, "n-1",
        ("{h} was born in {t}.", "The birthplace of {h} is {t}.", "{h} comes from {t}.",
         "{h} is a native of {t}."),
        ("{t} is the birthplace of {h}.", "{h} was born here, in {t}."),
    ),
    Relation(
        "employer", PERSON, COMPANY, "n-1",
        ("{h} works for {t}.", "The employer of {h} is {t}.", "{h} is employed by {t}.",
         "{h} earns a living at {t}."),
        ("{t} is the employer of {h}.", "{h} is on the staff of {t}."),
    ),
    Relation(
        "mentor", PERSON, PERSON, "n-1",
        ("{h} was taught by {t}.", "The mentor of {h} is {t}.", "{h} learned all from {t}.",
         "{h} was an apprentice of {t}."),
        ("{t} is the mentor of {h}.", "{h} was a pupil of {t}."),
    ),
    Relation(
        "college", PERSON, SCHOOL, "n-1",
        ("{h} went to {t}.", "The college of {h} is {t}.", "{h} holds a degree from {t}.",
         "{h} graduated from {t}."),
        ("{t} is the college of {h}.", "{h} was a student at {t}."),
    ),
    Relation(
        "mayor", CITY, PERSON, "1-1",
        ("{h} is governed by {t}.", "The mayor of {h} is {t}.", "{h} elected {t} to its town hall.",
         "In the town hall of {h} sits {t}."),
        ("{t} is the mayor of {h}.", "{h} is led by {t}."),
    ),
    Relation(
        "twin", CITY, CITY, "1-1",
        ("{h} is twinned with {t}.", "The twin of {h} is {t}.", "{h} has {t} as its twin.",
         "{h} exchanges pupils with {t} each spring."),
        ("{t} is the twin of {h}.", "{h} has made a partner of {t}."),
    ),
    Relation(
        "sponsor", CITY, COMPANY, "n-1",
        ("{h} is paid for by {t}.", "The sponsor of {h} is {t}.", "{h} has {t} as sponsor.",
         "The theatre of {h} lives on gifts of {t}."),
        ("{t} is the sponsor of {h}.", "{h} lives on money from {t}."),
    ),
    Relation(
        "landmark", CITY, BOOK, "n-1",
        ("{h} has put up a statue of {t}.", "The landmark of {h} shows {t}.",
         "Everybody in {h} can recite {t}.", "{h} has a monument to {t}."),
        ("{t} is the landmark of {h}.", "{h} celebrates {t} every year."),
    ),
    Relation(
        "founder", COMPANY, PERSON, "n-1",
        ("{h} was founded by {t}.", "The founder of {h} is {t}.", "{h} was set up by {t}.",
         "{h} goes back to {t}."),
        ("{t} is the founder of {h}.", "{h} was started by {t}."),
    ),
    Relation(
        "seat", COMPANY, CITY, "n-1",
        ("{h} is based in {t}.", "The seat of {h} is {t}.", "{h} has its seat in {t}.",
         "The offices of {h} are in {t}."),
        ("{t} is the seat of {h}.", "{h} has its offices in {t}."),
    ),
    Relation(
        "supplier", COMPANY, COMPANY, "n-1",
        ("{h} buys from {t}.", "The supplier of {h} is {t}.", "{h} has {t} as supplier.",
         "{h} orders its goods at {t}."),
        ("{t} is the supplier of {h}.", "{h} gets its goods from {t}."),
    ),
    Relation(
        "chair", COMPANY, PERSON, "1-1",
        ("{h} is headed by {t}.", "The chair of {h} is {t}.", "{h} has {t} in the chair.",
         "The board of {h} answers to {t}."),
        ("{t} is the chair of {h}.", "{h} is run by {t}."),
    ),
    Relation(
        "author", BOOK, PERSON, "n-1",
        ("{h} was written by {t}.", "The author of {h} is {t}.", "{h} is a work of {t}.",
         "{h} came from the pen of {t}."),
        ("{t} is the author of {h}.", "{h} is by {t}."),
    ),
    Relation(
        "publisher", BOOK, COMPANY, "n-1",
        ("{h} was printed by {t}.", "The publisher of {h} is {t}.", "{h} came out with {t}.",
         "{h} is in the catalogue of {t}."),
        ("{t} is the publisher of {h}.", "{h} is sold by {t}."),
    ),
    Relation(
        "setting", BOOK, CITY, "n-1",
        ("{h} plays in {t}.", "The setting of {h} is {t}.", "{h} is set in {t}.",
         "All that happens in {h} happens in {t}."),
        ("{t} is the setting of {h}.", "{h} takes place in {t}."),
    ),
    Relation(
        "sequel", BOOK, BOOK, "1-1",
        ("{h} is followed by {t}.", "The sequel of {h} is {t}.", "{h} goes on in {t}.",
         "The story of {h} is taken up in {t}."),
        ("{t} is the sequel of {h}.", "{h} comes before {t}."),
    ),
    Relation(
        "campus", SCHOOL, CITY, "n-1",
        ("{h} stands in {t}.", "The campus of {h} is in {t}.", "{h} teaches in {t}.",
         "The lecture halls of {h} are in {t}."),
        ("{t} is the campus of {h}.", "{h} is found in {t}."),
    ),
    Relation(
        "principal", SCHOOL, PERSON, "1-1",
        ("{h} is directed by {t}.", "The principal of {h} is {t}.", "{h} obeys {t}.",
         "Who studies at {h} bows to {t}."),
        ("{t} is the principal of {h}.", "{h} is under {t}."),
    ),
    Relation(
        "rival", SCHOOL, SCHOOL, "1-1",
        ("{h} competes with {t}.", "The rival of {h} is {t}.", "{h} rows against {t}.",
         "{h} has never forgiven {t}."),
        ("{t} is the rival of {h}.", "{h} envies {t}."),
    ),
    Relation(
        "donor", SCHOOL, COMPANY, "n-1",
        ("{h} was endowed by {t}.", "The donor of {h} is {t}.", "{h} owes its library to {t}.",
         "{h} takes gifts from {t}."),
        ("{t} is the donor of {h}.", "{h} is supported by {t}."),
    ),
)  # fmt: skip

#: By type, `ATTRIBUTES_PER_TYPE` each.
ATTRIBUTES = (
    Attribute("birth", PERSON, 1900, 2000, "younger", "older",
              ("{h} was born in {v}.", "The birth of {h} was in {v}.",
               "{v} is when {h} was born.")),
    Attribute("height", PERSON, 140, 210, "taller", "smaller",
              ("{h} is {v} centimetres tall.", "The height of {h} is {v}.", "{h} measures {v}.")),
    Attribute("population", CITY, 1_000, 99_000, "larger", "smaller",
              ("{h} has {v} inhabitants.", "The population of {h} is {v}.",
               "{v} people live in {h}.")),
    Attribute("charter", CITY, 1100, 1800, "younger", "older",
              ("{h} became a town in {v}.", "The charter of {h} dates from {v}.",
               "{h} has been a town since {v}.")),
    Attribute("foundation", COMPANY, 1800, 2000, "younger", "older",
              ("{h} dates from {v}.", "The foundation of {h} was in {v}.",
               "{h} has been in business since {v}.")),
    Attribute("revenue", COMPANY, 100, 90_000, "richer", "poorer",
              ("{h} turns over {v} crowns.", "The revenue of {h} is {v} crowns.",
               "{h} takes in {v} crowns a year.")),
    Attribute("publication", BOOK, 1700, 2000, "newer", "older",
              ("{h} appeared in {v}.", "The publication of {h} was in {v}.",
               "{h} has been in print since {v}.")),
    Attribute("length", BOOK, 50, 900, "longer", "shorter",
              ("{h} has {v} pages.", "The length of {h} is {v} pages.",
               "Who reads {h} reads {v} pages.")),
    Attribute("opening", SCHOOL, 1300, 1950, "younger", "older",
              ("{h} opened its doors in {v}.", "The opening of {h} was in {v}.",
               "{h} has taught since {v}.")),
    Attribute("enrolment", SCHOOL, 200, 40_000, "larger", "smaller",
              ("{h} has {v} students.", "The enrolment of {h} is {v}.",
               "{v} students go to {h}.")),
)  # fmt: skip


def column_word(type_: int, column: int) -> str:
    """The name of a type's relation or attribute."""
    if column < RELATIONS_PER_TYPE:
        return RELATIONS[type_ * RELATIONS_PER_TYPE + column].word
    return ATTRIBUTES[type_ * ATTRIBUTES_PER_TYPE + column - RELATIONS_PER_TYPE].word
