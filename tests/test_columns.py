"""Columns of a text, read by the workers that own them."""

import io
import itertools
import threading

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import d2lutil
from d2lutil import cluster
from d2lutil.cluster import columns

TEXT = "Été, a text of its own. हिन्दी! 時間, καὶ ΧΡΌΝΟΣ 🙂 " * 20


class Counted(io.BytesIO):
    """A file that counts the bytes that are read."""

    count = 0

    def read(self, size=-1):
        content = super().read(size)
        self.count += len(content)
        return content


class Told:
    """An exchange among threads."""

    def __init__(self, rank, told, barrier):
        self.rank, self.size, self.told, self.barrier = rank, len(told), told, barrier

    def all_gather(self, value):
        self.told[self.rank] = value
        self.barrier.wait(20)
        return list(self.told)


def read(content, batch_size, size):
    """Return what ``size`` workers read, and how many bytes."""
    told, barrier, found = [None] * size, threading.Barrier(size), [None] * size

    def work(rank):
        file = Counted(content)
        try:
            result = cluster.read_columns(file, batch_size, Told(rank, told, barrier))
            found[rank] = (*result, file.count)
        except Exception as error:
            barrier.abort()
            found[rank] = error

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("size", [2, 3, 8])
def test_workers_read_the_columns_of_a_single_process_and_no_more(size):
    content = TEXT.encode()
    ((vocab, X, Y, count),) = read(content, 8, 1)
    assert len(content) <= count <= len(content) + 3 * 8
    assert (X[1:] == Y[:-1]).all()
    assert set(vocab.tokens[1:]) == set(d2lutil.normalize(TEXT))
    for rank, (its_vocab, its_X, its_Y, its_count) in enumerate(read(content, 8, size)):
        assert its_vocab.tokens == vocab.tokens
        assert (its_X == cluster.shard(X, rank, size)).all()
        assert (its_Y == cluster.shard(Y, rank, size)).all()
        own = len(range(8)[rank::size])
        assert its_count <= own * (len(content) / 8 + 4)


def test_columns_hold_the_text_and_frequent_characters_come_first():
    ((vocab, X, Y, _),) = read(b"banana " * 8, 8, 1)
    assert vocab.tokens == d2lutil.Vocab("banana " * 8).tokens
    assert [vocab.decode(column) for column in X.T] == ["banana"] * 8
    assert [vocab.decode(column) for column in Y.T] == ["anana "] * 8


@settings(deadline=None)
@given(st.text(), st.lists(st.integers(0, 60)))
def test_stretches_are_the_text(text, places):
    content = text.encode()
    edges = sorted({0, len(content), *(place for place in places if place < len(content))})
    parts = [columns._stretch(io.BytesIO(content), a, b) for a, b in itertools.pairwise(edges)]
    assert "".join(parts) == text


@pytest.mark.parametrize("place", [0, 20, 39])
def test_bytes_that_are_no_text_are_named(place):
    content = bytearray(b"a" * 40)
    content[place] = 0xFF
    (error,) = read(bytes(content), 4, 1)
    assert str(error) == f"the file holds byte 0xff at position {place}; allowed: a text in UTF-8"


def test_too_many_columns_are_named():
    for content in (b"", b"abcdefgh"):
        (error,) = read(content, 8, 1)
        assert str(error) == "batch_size=8; allowed: columns of at least two characters"
    errors = read(TEXT.encode(), 2, 3)
    assert any("batch_size=2; allowed: an integer of at least 3" in str(error) for error in errors)


def test_columns_are_shared_out():
    A = numpy.arange(10).reshape(2, 5)
    parts = [cluster.shard(A, k, 3) for k in range(3)]
    assert sorted(numpy.concatenate(parts, axis=1)[0]) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="size=6; allowed: an integer of at least 1, at most 5"):
        cluster.shard(A, 0, 6)
    with pytest.raises(ValueError, match="rank=3; allowed"):
        cluster.shard(A, 3, 3)
