import hashlib
import json
import os
import sys
import unicodedata

import numpy
import pytest
import requests
from mxnet import np

import d2lutil
from d2lutil import corpus

REAL = os.environ.get("D2LUTIL_DATA_DIR")  # before a fixture removes it
NORMALIZED_NOVEL = "9f258eadf409c46591c5c61d72c087cb825faf419c9f87ceb580f0eacb30c506"
STORY = d2lutil.load_corpus("noon_road").text


@pytest.fixture
def vocab():
    return d2lutil.Vocab("to be or not to be")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Time", "time"),
        ("Time's up!", "time s up "),
        ("a_b9c\n\r\n\td--e", "a b c d e"),
        ("[1898]", " "),
        ("ÉTÉ", "été"),
        ("two words", "two words"),
        ("İ x² Ⅷ", "i̇ x "),
        ("İstanbul", "i̇stanbul"),
        ("हिन्दी में 3 शब्द", "हिन्दी में शब्द"),
        ("cafe\u0301 E\u0301te\u0301", "café été"),
        ("x\u0323\u0304y", "x\u0323\u0304y"),  # marks that compose with no letter
        ("1\u0308\u0308a", " a"),
        ("\u0308a", " a"),
        ("❤\ufe0f1\ufe0f\u20e3b", " b"),  # marks of what is no letter
    ],
)
def test_normalize_keeps_letters_and_single_spaces(text, expected):
    assert d2lutil.normalize(text) == expected


def test_normalized_story_holds_letters_and_single_spaces():
    text = d2lutil.normalize(STORY)
    assert set(text) == set("abcdefghijklmnopqrstuvwxyz ")
    assert "  " not in text


def test_normalize_twice_is_normalize_once():
    every = " ".join(map(chr, range(sys.maxunicode + 1)))
    for text in (STORY, every):
        once = d2lutil.normalize(text)
        assert d2lutil.normalize(once) == once


def test_normalize_twice_is_normalize_once_with_any_mark_on_a_letter():
    marks = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] == "M"]
    once = d2lutil.normalize(" ".join(letter + mark for letter in "aEİΣक" for mark in marks))
    assert len(once.split()) == 5 * len(marks)
    assert d2lutil.normalize(once) == once
    assert unicodedata.is_normalized("NFC", once)


@pytest.mark.skipif(not REAL, reason="D2LUTIL_DATA_DIR is not set: no real text")
def test_the_normalized_novel_is_the_one_that_the_chapters_printed():
    text = d2lutil.normalize(d2lutil.load_corpus(directory=REAL).text)
    assert hashlib.sha256(text.encode()).hexdigest() == NORMALIZED_NOVEL


def test_a_text_of_the_wrong_type_is_not_printed_whole():
    for refuse in (d2lutil.normalize, d2lutil.Vocab, d2lutil.split_streams, d2lutil.Vocab("a").encode):
        with pytest.raises((TypeError, ValueError)) as error:
            refuse(b"a" * 10_000)
        assert len(str(error.value)) < 200


def test_vocab_is_rebuilt_from_its_tokens():
    vocab = d2lutil.Vocab("हिन्दी banana")
    again = d2lutil.Vocab.from_tokens(json.loads(json.dumps(vocab.tokens)))
    assert again.tokens == vocab.tokens
    assert (again.encode("band ही?") == vocab.encode("band ही?")).all()
    assert again.decode(range(len(again))) == "".join(vocab.tokens)


def test_a_rebuilt_vocab_keeps_tokens_of_its_own():
    tokens = ["<unk>", "a", "b"]
    vocab = d2lutil.Vocab.from_tokens(tokens)
    tokens[1] = "c"
    assert vocab.decode(vocab.encode("ab")) == "ab"


@pytest.mark.parametrize(
    ("tokens", "kind", "message"),
    [
        (None, TypeError, "tokens=None; allowed: a sequence"),
        ([], ValueError, r"tokens=\[\]; allowed"),
        (["<unk>"], ValueError, "tokens=.* each once and at least one"),
        (["a", "<unk>"], ValueError, r"tokens\[0\]='a'; allowed: a sequence of '<unk>', then"),
        ("abc", ValueError, r"tokens\[0\]='a'; allowed"),
        (["<unk>", "a", "a"], ValueError, r"tokens\[2\]='a'; allowed: .* each once"),
        (["<unk>", "ab"], ValueError, r"tokens\[1\]='ab'; allowed: .* single characters"),
        (["<unk>", ""], ValueError, r"tokens\[1\]=''; allowed"),
        (["<unk>", 3], TypeError, r"tokens\[1\]=3; allowed"),
        (["<unk>", ["a"]], TypeError, r"tokens\[1\]=\['a'\]; allowed"),
    ],
)
def test_tokens_of_no_vocab_are_refused(tokens, kind, message):
    with pytest.raises(kind, match=message):
        d2lutil.Vocab.from_tokens(tokens)


def test_what_is_too_short_for_the_columns_is_named():
    too_many = "batch_size={}; allowed: an integer of at least 1, at most {}, because {} has {} characters"
    with pytest.raises(ValueError, match="^" + too_many.format(5, 4, "the text", 5)):
        d2lutil.streams([0, 1, 2, 3, 4], 5)
    with pytest.raises(ValueError, match="^" + too_many.format(32, 26, "the training part", 27)):
        d2lutil.split_streams("ab" * 15)
    with pytest.raises(ValueError, match="^held_out_" + too_many.format(8, 4, "the held-out part", 5)):
        d2lutil.split_streams("ab" * 25)


def test_vocab_orders_tokens_by_falling_frequency_then_alphabet(vocab):
    assert vocab.tokens == ["<unk>", " ", "o", "t", "b", "e", "n", "r"]
    assert len(vocab) == 8


def test_vocab_of_the_normalized_story_has_28_tokens():
    assert len(d2lutil.Vocab(d2lutil.normalize(STORY))) == 28


def test_encode_and_decode_are_inverse():
    vocab = d2lutil.Vocab(STORY)
    ids = vocab.encode(STORY)
    assert ids.dtype == "int32"
    assert ids.shape == (len(STORY),)
    assert vocab.decode(ids) == STORY


def test_encode_numbers_unknown_characters_zero(vocab):
    assert vocab.encode("Zo?").tolist() == [0, 2, 0]
    assert vocab.decode([0]) == "<unk>"


def test_encode_of_nothing_is_empty(vocab):
    assert vocab.encode("").shape == (0,)
    assert vocab.decode([]) == ""


@pytest.mark.parametrize("convert", [list, tuple, numpy.array, lambda ids: np.array(ids, "int32")])
def test_decode_takes_any_sequence(convert, vocab):
    assert vocab.decode(convert([4, 5])) == "be"


@pytest.mark.parametrize("text", [b"to be", None, ["t", "o"]])
def test_encode_of_no_string_is_refused(text, vocab):
    with pytest.raises(TypeError, match=r"text=.*; allowed: a string"):
        vocab.encode(text)


@pytest.mark.parametrize("ids", [1, None, numpy.array(1), np.array(1)])
def test_decode_of_no_sequence_is_refused(ids, vocab):
    with pytest.raises(TypeError, match=r"ids=.*; allowed: a sequence of integers"):
        vocab.decode(ids)


@pytest.mark.parametrize("text", ["", None, 3])
def test_vocab_of_no_text_is_refused(text):
    with pytest.raises(ValueError, match=f"text={text!r}.*string of at least one character"):
        d2lutil.Vocab(text)


def test_normalize_of_no_string_is_refused():
    with pytest.raises(TypeError, match="text=3; allowed: a string"):
        d2lutil.normalize(3)


@pytest.mark.parametrize("index", [-1, 8])
def test_decode_of_an_index_outside_is_refused(index, vocab):
    with pytest.raises(ValueError, match=f"ids={index}; allowed: .* at least 0, at most 7"):
        vocab.decode([1, index])


@pytest.mark.parametrize("index", [1.5, "a"])
def test_decode_of_no_integer_is_refused(index, vocab):
    with pytest.raises(TypeError, match=f"ids={index!r}; allowed: an integer"):
        vocab.decode([index])


def test_streams_run_down_the_columns():
    X, Y = d2lutil.streams(numpy.arange(14), 4)
    assert X.T.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert Y.T.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12]]


@pytest.mark.parametrize("length", range(4, 12))
@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_streams_leave_out_as_little_as_possible(length, batch_size):
    X, Y = d2lutil.streams(numpy.arange(length), batch_size)
    assert X.shape == Y.shape == ((length - 1) // batch_size, batch_size)
    assert (Y == X + 1).all()
    assert X.T.reshape(-1).tolist() == list(range(X.size))


@pytest.mark.parametrize("convert", [list, numpy.array, lambda ids: np.array(ids, "int32")])
def test_streams_are_int32_mxnet_arrays(convert):
    for part in d2lutil.streams(convert([3, 1, 4, 1, 5]), 2):
        assert isinstance(part, np.ndarray)
        assert part.dtype == "int32"
        assert part.shape == (2, 2)


def test_split_streams_hold_out_the_last_tenth():
    vocab, (X, _), (X_held_out, Y_held_out) = d2lutil.split_streams("ab" * 450 + "xy" * 50, 9, 3)
    assert vocab.tokens == ["<unk>", "a", "b"]
    assert X.shape == (99, 9)
    assert X_held_out.shape == Y_held_out.shape == (33, 3)
    assert X.min() == 1
    assert X_held_out.max() == 0


@pytest.mark.parametrize("text", [b"ab" * 500, "ab" * 9, None])
def test_split_streams_of_no_text_is_refused(text):
    with pytest.raises(ValueError, match=r"text=.*; allowed: a string of at least 20 characters"):
        d2lutil.split_streams(text)


@pytest.mark.parametrize("sizes", [(8, 0), (8, 101)])
def test_batch_sizes_of_split_streams_are_told_apart(sizes):
    with pytest.raises(ValueError, match=rf"^held_out_batch_size={sizes[1]}; allowed: .* at most 99"):
        d2lutil.split_streams("ab" * 500, *sizes)


@pytest.mark.parametrize("value", [2**31, 2**40, -1])
def test_ids_beyond_int32_are_refused(value):
    with pytest.raises(ValueError, match=rf"ids holds .*{value}.*; allowed: 0 to the largest int32"):
        d2lutil.streams([5, value], 1)


@pytest.mark.filterwarnings("ignore:Creating an ndarray from ragged")  # NumPy 1.23
def test_rows_of_ids_that_differ_in_length_are_refused():
    with pytest.raises(
        ValueError, match=r"(allowed for ids: rows of one length; given|ids has shape .*; allowed)"
    ):
        d2lutil.streams([[1, 2], [3]], 1)


@pytest.mark.parametrize("batch_size", [0, -2, 5])
def test_batch_size_outside_is_refused(batch_size):
    message = f"batch_size={batch_size}; allowed: an integer of at least 1, at most 4"
    with pytest.raises(ValueError, match=message):
        d2lutil.streams([0, 1, 2, 3, 4], batch_size)


@pytest.mark.parametrize("batch_size", [2.0, None, True])
def test_batch_size_that_is_no_integer_is_refused(batch_size):
    with pytest.raises(TypeError, match=f"batch_size={batch_size!r}; allowed: an integer"):
        d2lutil.streams([0, 1, 2, 3, 4], batch_size)


@pytest.mark.parametrize("ids", [[7], numpy.array([], "int32")])
def test_text_without_a_prediction_is_refused(ids):
    with pytest.raises(ValueError, match=rf"ids holds {len(ids)} characters; allowed: at least 2"):
        d2lutil.streams(ids, 1)


@pytest.mark.parametrize("ids", ["text", [0.5, 1.5], [[1, 2], [3, 4]], []])
def test_ids_that_are_no_row_of_integers_are_refused(ids):
    with pytest.raises(ValueError, match=r"ids has shape .* allowed: integers \(length,\)"):
        d2lutil.streams(ids, 1)


@pytest.mark.parametrize("name", [[], 3, b"noon_road"])
def test_name_that_is_no_string_is_refused(name):
    with pytest.raises(ValueError, match=r"unknown corpus name=.*; allowed: time_machine, noon_road"):
        d2lutil.load_corpus(name)


@pytest.mark.parametrize("directory", [5, b"texts", False])
def test_directory_that_is_no_path_is_refused(directory):
    with pytest.raises(TypeError, match=f"directory={directory!r}; allowed: a path, or None"):
        d2lutil.load_corpus(directory=directory)


def test_certificates_that_are_not_there_are_the_reason(monkeypatch):
    def head(*args, **kwargs):
        raise OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /nowhere")

    monkeypatch.setattr(requests, "head", head)
    monkeypatch.setattr(corpus, "URL", "https://certificates.invalid/")
    with pytest.warns(UserWarning, match=r"cannot download .*invalid path: /nowhere\); using the embedded"):
        assert d2lutil.load_corpus().source == "embedded"
