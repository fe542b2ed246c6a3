"""Sentences by BM25 and near duplicates, by hand."""

import math

import pytest

from spelunk.agents.llm.messages.compress import NearDuplicates, best_sentences, sentences


def test_sentences_are_ranked_by_bm25():
    text = "The seat is old. Plosen has a seat. No rain! Plosen Plosen Plosen?\nThe end"
    assert sentences(text) == [
        "The seat is old.", "Plosen has a seat.", "No rain!", "Plosen Plosen Plosen?", "The end",
    ]  # fmt: skip
    # Idf is ln(1 + 3.5 / 2.5) for both words, the mean length 3. Both words once in 4 score
    # idf * 2 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 4 / 3)) = 1.541, one word three times in 3
    # idf * 6.6 / (3 + 1.2) = 1.376, one word once in 4 half of 1.541.
    assert best_sentences(text, "seat of plosen", 1) == ("Plosen has a seat.",)
    assert best_sentences(text, "seat of plosen", 2) == (
        "Plosen has a seat.",
        "Plosen Plosen Plosen?",
    )
    assert best_sentences(text, "nothing", 2) == ("The seat is old.", "Plosen has a seat.")
    assert best_sentences("", "x") == ()


def test_similarity_is_the_overlap_of_triples_of_words():
    seen = NearDuplicates(hashes=4096)
    # "a b c d" has the shingles __a _ab abc bcd cd_ d__ (6); with e for d the last three differ.
    assert seen.similarity("a b c d", "A b, c d!") == 1.0
    assert seen.similarity("a b c d", "a b c e") == pytest.approx(3 / 9, abs=0.04)
    row = " ".join(map(str, range(40)))
    assert seen.similarity(row, row + " x") == pytest.approx(40 / 45, abs=0.03)
    assert math.isclose(seen.similarity("a", "b"), 0.0)


def test_a_changed_name_is_no_duplicate():
    seen = NearDuplicates()
    row = "The register of {} states that the works were founded by Plosen in the year 1204 again"
    assert not seen.seen(row.format("Drumen"))
    assert seen.seen(row.format("drumen") + ".")
    assert not seen.seen(row.format("Velmen"))
    assert not seen.seen("")
    assert seen.seen("!")
