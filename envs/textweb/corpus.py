"""The world written down: pages that state its facts in varied sentences, and pages that do not."""

from dataclasses import dataclass

import numpy as np

from .world import CITY, COMPANY, PERSON, RELATIONS, RELATIONS_PER_TYPE, Fact, World

#: The most facts a page states, so that pages stay short, and the most entities it names.
PAGE_FACTS = 5
PAGE_MENTIONS = 1 + PAGE_FACTS
#: How often a fact stands on the page of its object instead of that of its subject.
INVERSE_RATE = 0.3

# Sentences by relation: those for the subject's page, then those for the object's page.
_SENTENCES = {
    "birthplace": (
        ("{h} was born in {t}.", "The birthplace of {h} is {t}.", "{h} comes from {t}."),
        ("{t} is the birthplace of {h}.", "{h} was born here, in {t}."),
    ),
    "employer": (
        ("{h} works for {t}.", "The employer of {h} is {t}.", "{h} is employed by {t}."),
        ("{t} is the employer of {h}.", "{h} is on the staff of {t}."),
    ),
    "mentor": (
        ("{h} was taught by {t}.", "The mentor of {h} is {t}.", "{h} learned all from {t}."),
        ("{t} is the mentor of {h}.", "{h} was a pupil of {t}."),
    ),
    "mayor": (
        ("{h} is governed by {t}.", "The mayor of {h} is {t}.", "{h} elected {t} as mayor."),
        ("{t} is the mayor of {h}.", "{h} is led by {t}."),
    ),
    "twin": (
        ("{h} is twinned with {t}.", "The twin of {h} is {t}.", "{h} has {t} as its twin."),
        ("{t} is the twin of {h}.", "{h} has made a twin of {t}."),
    ),
    "sponsor": (
        ("{h} is paid for by {t}.", "The sponsor of {h} is {t}.", "{h} has {t} as sponsor."),
        ("{t} is the sponsor of {h}.", "{h} lives on money from {t}."),
    ),
    "founder": (
        ("{h} was founded by {t}.", "The founder of {h} is {t}.", "{h} was set up by {t}."),
        ("{t} is the founder of {h}.", "{h} was started by {t}."),
    ),
    "seat": (
        ("{h} is based in {t}.", "The seat of {h} is {t}.", "{h} has its seat in {t}."),
        ("{t} is the seat of {h}.", "{h} has its offices in {t}."),
    ),
    "supplier": (
        ("{h} buys from {t}.", "The supplier of {h} is {t}.", "{h} has {t} as supplier."),
        ("{t} is the supplier of {h}.", "{h} gets its goods from {t}."),
    ),
}
_TITLES = {PERSON: "Gossip about {}", CITY: "News from {}", COMPANY: "Rumours on {}"}
_NOISE = (
    "{a} was seen with {b}.",
    "Nobody knows the {r} of {a}.",
    "{a} and {b} are not on speaking terms.",
    "The {r} of {a} had no comment.",
    "{a} sent greetings to {b}.",
)
_NOISE_SENTENCES = 3


@dataclass(frozen=True)
class Page:
    """One document.

    Attributes:
        title: its title, not unique.
        text: its sentences.
        facts: what it states.
        mentions: the entities it names, in the order of the text, without repetition.
    """

    title: str
    text: str
    facts: tuple[Fact, ...]
    mentions: tuple[int, ...]


def write_corpus(world: World, documents: int, rng: np.random.Generator) -> tuple[Page, ...]:
    """The pages of a world in random order: one for each entity, and distractors for the rest."""
    stated = _share_out(world, rng)
    pages = [_entity_page(world, entity, stated[entity], rng) for entity in range(len(stated))]
    pages += [_distractor(world, rng) for _ in range(documents - len(pages))]
    return tuple(pages[i] for i in rng.permutation(len(pages)))


def _share_out(world: World, rng: np.random.Generator) -> list[list[Fact]]:
    """The facts that stand on each entity's page; each stands on one."""
    stated: list[list[Fact]] = [[] for _ in world.names]
    room = [PAGE_FACTS - RELATIONS_PER_TYPE] * len(world.names)
    for fact in world.facts():
        inverse = rng.random() < INVERSE_RATE and fact.head != fact.tail and room[fact.tail] > 0
        room[fact.tail] -= inverse
        stated[fact.tail if inverse else fact.head].append(fact)
    return stated


def _entity_page(world: World, entity: int, facts: list[Fact], rng: np.random.Generator) -> Page:
    facts = [facts[i] for i in rng.permutation(len(facts))]
    sentences = []
    for head, relation, tail in facts:
        variants = _SENTENCES[RELATIONS[relation].word][0 if head == entity else 1]
        sentence = variants[rng.integers(len(variants))]
        sentences.append(sentence.format(h=world.names[head], t=world.names[tail]))
    mentions = dict.fromkeys([entity, *(e for f in facts for e in (f.head, f.tail))])
    return Page(world.names[entity], " ".join(sentences), tuple(facts), tuple(mentions))


def _distractor(world: World, rng: np.random.Generator) -> Page:
    about = int(rng.integers(len(world.names)))
    mentions, sentences = [about], []
    for _ in range(_NOISE_SENTENCES):
        other = int(rng.integers(len(world.names)))
        relation = RELATIONS[rng.integers(len(RELATIONS))]
        pattern = _NOISE[rng.integers(len(_NOISE))]
        names = {"a": world.names[about], "b": world.names[other], "r": relation.word}
        sentences.append(pattern.format(**names))
        if "{b}" in pattern:
            mentions.append(other)
    title = _TITLES[int(world.types[about])].format(world.names[about])
    return Page(title, " ".join(sentences), (), tuple(dict.fromkeys(mentions)))
