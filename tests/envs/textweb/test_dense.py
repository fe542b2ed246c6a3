"""Dense retrieval: exact neighbours, repeatability, an encoder that learns, and transformers."""

import json
import shutil
import socket

import numpy as np
import pytest

from spelunk.envs.kernel import InvalidArgumentError
from spelunk.envs.textweb import dense
from spelunk.envs.textweb.bm25 import WordNumbers
from spelunk.envs.textweb.corpus import Corpus
from spelunk.envs.textweb.dense import (
    DenseIndex,
    HashedEncoder,
    features,
    sentence_encoder,
    train_encoder,
)
from spelunk.envs.textweb.graph import Graph
from spelunk.envs.textweb.retrievers import words_of


class Table:
    """Gives the i-th of some vectors for the query "i"."""

    def __init__(self, vectors):
        self.vectors = vectors

    def __call__(self, texts):
        return np.array([self.vectors[int(text)] for text in texts])


def some(n, dimension=24, seed=0):
    return np.random.default_rng(seed).standard_normal((n, dimension)).astype(np.float32)


def test_cosines_by_hand():
    index = DenseIndex(
        Table([[2, 0], [3, 4], [0, 0]]), np.array([[0, 5], [7, 0], [1, 1.0], [7, 0]])
    )
    found = index.search(["0", "1", "2"], 3)
    assert found.pages.tolist() == [[1, 3, 2], [2, 0, 1], [-1, -1, -1]]
    wanted = [[1, 1, 0.5**0.5], [1.4 * 0.5**0.5, 0.8, 0.6], [0, 0, 0]]
    np.testing.assert_allclose(found.scores, wanted, atol=1e-3)
    assert found.pages.dtype == np.int32
    assert found.scores.dtype == np.float32
    assert index.search(["0"], 6).pages.tolist() == [[1, 3, 2, 0, -1, -1]]
    assert index.search([], 2).pages.shape == (0, 2)


@pytest.mark.parametrize("half", [False, True])
def test_the_nearest_are_found_across_blocks_ties_and_all(monkeypatch, half):
    monkeypatch.setattr(dense, "_BLOCK", 37)
    monkeypatch.setattr(dense, "_QUERIES", 9)
    vectors = some(40)[np.random.default_rng(1).integers(40, size=500)]  # every page many times
    queries = some(20, seed=2)
    index = DenseIndex(Table(queries), vectors, half)
    found = index.search([str(i) for i in range(20)], 30)
    exact = dense._unit(queries).astype(float) @ dense._unit(vectors).astype(float).T
    for i in range(20):
        order = np.lexsort((np.arange(500), -exact[i]))[:30]
        assert found.pages[i].tolist() == order.tolist()
        np.testing.assert_array_equal(found.scores[i], exact[i][order].astype(np.float32))
    assert index.nbytes == 500 * 24 * (2 if half else 4)


def test_a_query_scores_the_same_in_any_company_to_the_last_bit():
    index = DenseIndex(Table(some(200, 96, 3)), some(3000, 96))
    together = index.search([str(i) for i in range(200)], 10)
    for i in (0, 57, 130, 199):
        alone = index.search([str(i)], 10)
        np.testing.assert_array_equal(alone.pages[0], together.pages[i])
        np.testing.assert_array_equal(alone.scores[0], together.scores[i])


def test_vectors_that_are_none_are_refused():
    for bad in (np.zeros(3), np.zeros((0, 3)), np.array([[np.nan, 1]])):
        with pytest.raises(InvalidArgumentError, match="matrix"):
            DenseIndex(Table([]), bad)


def test_hashed_vectors_are_sums_over_words_and_triples():
    encoder = HashedEncoder.random(buckets=64, dimension=5)
    rows = features("ab", 64)
    assert len(rows) == 3, "<ab>, <ab, ab>"
    np.testing.assert_allclose(encoder(["ab"])[0], encoder.table[rows].sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(encoder(["AB, cd!"])[0], encoder(["ab", "cd"]).sum(0), rtol=1e-5)
    assert not encoder(["", "?!"]).any()
    assert np.isfinite(encoder(["\ud800 \x00", "x" * 100_000])).all()
    assert features("plosen", 2**15) == features("plosen", 2**15)


def test_pages_can_be_given_as_numbers_of_words(monkeypatch):
    monkeypatch.setattr(dense, "_PAGES", 2)
    texts = ["red fox", "", "a fox and a red dog", "dog", "", "red", "fox red"]
    vocabulary = WordNumbers()
    ids, offsets = vocabulary.number(texts)
    encoder = HashedEncoder.random()
    np.testing.assert_allclose(
        encoder.encode_ids(ids, offsets, list(vocabulary).__getitem__), encoder(texts), atol=1e-5
    )


def test_spelling_alike_is_near():
    encoder = HashedEncoder.random()
    index = DenseIndex(encoder, encoder(["Marvolka", "Plosen", "Quindel"]))
    assert index.search(["plosens"], 1).pages.tolist() == [[1]]


def test_training_teaches_that_two_words_mean_the_same(tmp_path):
    rng = np.random.default_rng(0)
    names = ["".join(rng.choice(list("bdfgklmnprstv"), 6)) for _ in range(360)]
    says = {"employer": "works for", "mentor": "was taught by", "home": "lives in"}

    def pages(names):
        return [
            (f"{w} of {name}", f"{name} {said} x") for name in names for w, said in says.items()
        ]

    pairs, held_out = pages(names[:300]), pages(names[300:])

    def recall(encoder):
        index = DenseIndex(encoder, encoder([page for _, page in held_out]))
        best = index.search([query for query, _ in held_out], 1).pages[:, 0]
        return (best == np.arange(len(held_out))).mean()

    before = recall(HashedEncoder.random(4096, 48))
    trained = train_encoder(pairs, 4096, 48, epochs=6, batch=64)
    assert before < 0.6
    assert recall(trained) > 0.9
    again = train_encoder(pairs, 4096, 48, epochs=6, batch=64)
    np.testing.assert_array_equal(trained.table, again.table)
    trained.save(tmp_path / "encoder.npz")
    assert recall(HashedEncoder.load(tmp_path / "encoder.npz")) > 0.9
    with pytest.raises(InvalidArgumentError, match="two pairs"):
        train_encoder(pairs[:1])


def test_a_page_of_two_queries_is_no_negative_of_either():
    trained = train_encoder([("red", "a fox"), ("blue", "a fox")], 64, 8)
    np.testing.assert_array_equal(trained.table, HashedEncoder.random(64, 8).table)
    other = train_encoder([("red", "a fox"), ("blue", "a dog")], 64, 8)
    assert (other.table != HashedEncoder.random(64, 8).table).any()


def test_other_encoders_are_optional(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(ImportError, match="pip install"):
        sentence_encoder("model")


@pytest.fixture(scope="module")
def texts():
    """The pages of a small world, some of them twice."""
    corpus = Corpus(Graph(90, 3), 120, 3)
    return [f"{corpus.title(page)} {corpus.text(page)}" for page in (*range(120), *range(40))]


@pytest.fixture(scope="module")
def model(tmp_path_factory, texts):
    """The folder of a sentence-transformers model that knows the words of the pages."""
    library = pytest.importorskip("sentence_transformers", minversion="6")
    import tokenizers
    import torch
    import transformers
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    special = {"pad_token": "[PAD]", "unk_token": "[UNK]"}
    words = [*special.values(), *sorted({word for text in texts for word in words_of(text)})]
    numbers = {word: number for number, word in enumerate(words)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(numbers, "[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.Lowercase()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=96, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=192, max_position_embeddings=64, initializer_range=0.3,
    )  # fmt: skip
    bert, folder = tmp_path_factory.mktemp("bert"), tmp_path_factory.mktemp("model")
    transformers.BertModel(config).save_pretrained(bert)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    fast.save_pretrained(bert)
    modules = [Transformer(str(bert)), Pooling(config.hidden_size)]
    library.SentenceTransformer(modules=modules, device="cpu").save(str(folder))
    return folder


def test_a_sentence_transformer_finds_what_numpy_finds(model, texts):
    encode = sentence_encoder(str(model))
    vectors = encode(texts)
    assert vectors.shape == (len(texts), 96)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(sentence_encoder(str(model), batch=32)(texts), vectors, atol=1e-3)
    queries = [*texts[:60], *(" ".join(words_of(text)[:2]) for text in texts[:60])]
    found = DenseIndex(encode, vectors).search(queries, 5)
    pages, asked = (dense._unit(some).astype(float) for some in (vectors, encode(queries)))
    exact = asked @ pages.T
    order = np.argsort(-exact, axis=1, kind="stable")[:, :5]  # ties by page number
    assert (found.pages == order).all()
    np.testing.assert_array_equal(found.scores, np.take_along_axis(exact, order, 1))
    assert (found.pages[:40, 0] == np.arange(40)).all()
    assert (found.pages[:40, 1] == np.arange(120, 160)).all(), "the same pages once more"


def test_a_sentence_transformer_gives_a_text_the_same_vector_in_any_company(model, texts):
    encode = sentence_encoder(str(model))
    together = encode(texts)
    np.testing.assert_array_equal(np.concatenate([encode([text]) for text in texts]), together)
    np.testing.assert_array_equal(encode(texts[::-1]), together[::-1])


def test_whatever_a_sentence_transformer_is_told_raises_nothing(model):
    encode = sentence_encoder(str(model))
    assert encode([]).shape == (0, 96)
    told = encode(["", "?!", "\ud800", "\ud800 years", "\x00\u202e years <b>", "years " * 9000])
    assert not told[:3].any()
    assert told[3:].any(axis=1).all()
    assert np.isfinite(told).all()
    index = DenseIndex(encode, told)
    assert index.search(["", "years"], 9).pages[0].tolist() == [-1] * 9


def test_models_are_data_on_this_machine(model, tmp_path, monkeypatch):
    import torch
    from safetensors.torch import load_file

    called = []
    monkeypatch.setattr(socket.socket, "connect", lambda *_: called.append("connect"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: called.append("look up"))
    sentence_encoder(str(model))(["years"])
    with pytest.raises(OSError, match="cached"):
        sentence_encoder("a-model-that-nobody-made")
    assert not called
    pickled, coded = tmp_path / "pickled", tmp_path / "coded"
    for copy in (pickled, coded):
        shutil.copytree(model, copy)
    torch.save(load_file(model / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    with pytest.raises(OSError, match="safetensors"):
        sentence_encoder(str(pickled))
    modules = json.loads((model / "modules.json").read_text())
    modules[1]["type"] = "own.Pooling"
    (coded / "modules.json").write_text(json.dumps(modules))
    (coded / "own.py").write_text("raise AssertionError('code of the model was run')")
    with pytest.raises(ValueError, match="third-party code"):
        sentence_encoder(str(coded))
