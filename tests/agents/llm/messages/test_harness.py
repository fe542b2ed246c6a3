"""The harness: books kept from calls, page numbers and observations."""

from spelunk.agents.llm.messages.harness import CURATED, Harness, Memory, remember

from .turns import QUESTION, TURNS, turn


def test_the_harness_keeps_books():
    turns = [
        *TURNS,
        turn("<goal>seat of Drumen</goal>"),
        turn("<goal>age of Drumen</goal>"),
        turn("<reflect>yes</reflect>"),
        turn("<reflect>no</reflect>"),
        turn("<note>Drumen employs Plosen</note>"),
        turn("<curate>high 2 99 1</curate>"),
        turn("<curate>drop 1</curate>"),
        turn("<cite>2 Drumen is in Orvik</cite>"),
        turn("<cite>99 made up</cite>"),
        turn("<verify>1 Plosen works for Drumen</verify>", "Stated."),
        turn("<search>x</search>", "7 Orvik", (7,)),
    ]
    memory = remember(QUESTION, turns)
    assert memory.pool == {1: True, 2: True, 7: False}
    assert memory.curated == {2: "high"}
    assert memory.goals == ["seat of Drumen"]
    assert memory.evidence == [(2, "Drumen is in Orvik")]
    assert memory.checks == [(1, "Plosen works for Drumen", "Stated.")]
    text = Harness().render(QUESTION, turns, {"turns": 2}).text
    assert text == "\n".join([
        f"Question: {QUESTION}",
        "Curated pages:",
        "high: 2",
        "Goals:",
        "| seat of Drumen",
        "Evidence:",
        "| 2: Drumen is in Orvik",
        "Checked:",
        "| 1: Plosen works for Drumen: Stated.",
        "Notes:",
        "| Drumen employs Plosen",
        "Candidates:",
        "1 (read), 2 (read), 7",
        "Seen:",
        "| 1 Plosen",
        "| 2 Drumen",
        "| Plosen works for Drumen.",
        "| Say search: words.",
        "| Drumen is based in Orvik.",
        "| Stated.",
        "Last action:",
        "| search: x",
        "Result:",
        "| 7 Orvik",
        "Left: 2 turns.",
    ])  # fmt: skip


def test_the_curated_set_is_filled_once_and_bounded():
    first = turn("search: a", "", tuple(range(50)))
    memory = remember(QUESTION, [first, turn("search: b", "", (60, 61))])
    assert memory.curated == dict.fromkeys(range(8), "low")
    many = [turn(f"curate: medium {' '.join(map(str, range(i, i + 10)))}") for i in (0, 10, 20, 30)]
    memory = remember(QUESTION, [first, *many])
    assert memory.curated == dict.fromkeys(range(10, 10 + CURATED), "medium")
    assert remember(QUESTION, [turn("open: 3", "", (3,))]).curated == {}


def test_sentences_seen_before_are_left_out():
    memory = Memory(QUESTION)
    for text in ("Plosen works for Drumen. It is so.", "Plosen  works for\nDrumen.", "PLOSEN works "
                 "for Drumen!", "Plosen works for Velmen."):  # fmt: skip
        memory.note_observation(turn("search: x", text), 200)
    assert memory.sentences == [
        "Plosen works for Drumen.",
        "It is so.",
        "Plosen works for",
        "Drumen.",
        "Plosen works for Velmen.",
    ]
