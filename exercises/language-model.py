# %% setup
import itertools

import d2lutil  # first: it makes MXNet load under today's NumPy
import numpy

text = d2lutil.normalize(d2lutil.load_corpus().text)
split = len(text) * 9 // 10
vocab = d2lutil.Vocab(text[:split])
ids = vocab.encode(text)
train, held_out = ids[:split], ids[split:]

# %% stub exercise="ex-lm-blind"
# The proof stays on paper. Hand in what follows from it.


def blind_perplexity(vocab_size, num_steps):
    """Return the perplexity of a blind guess on a text of num_steps."""
    ...


def worse_than_blind(p, vocab_size):
    """Say whether a model does worse than a blind guess: True or False.

    p, of shape (num_steps,), has the probabilities that it gave the targets.
    """
    ...


# %% solution exercise="ex-lm-blind"
def blind_perplexity(vocab_size, num_steps):
    """Return the perplexity of a blind guess on a text of num_steps."""
    return vocab_size


def worse_than_blind(p, vocab_size):
    """Say whether a model does worse than a blind guess: True or False."""
    return -numpy.log(p).mean() > numpy.log(vocab_size)


# %% wrong exercise="ex-lm-blind" belief="the mean of the probabilities decides"
def blind_perplexity(vocab_size, num_steps):
    return vocab_size


def worse_than_blind(p, vocab_size):
    return numpy.mean(p) < 1 / vocab_size


# %% wrong exercise="ex-lm-blind" belief="one target with less than 1/V is enough"
def blind_perplexity(vocab_size, num_steps):
    return vocab_size


def worse_than_blind(p, vocab_size):
    return numpy.min(p) < 1 / vocab_size


# %% wrong exercise="ex-lm-blind" belief="a longer text is harder to guess"
def blind_perplexity(vocab_size, num_steps):
    return vocab_size * num_steps


def worse_than_blind(p, vocab_size):
    return -numpy.log(p).mean() > numpy.log(vocab_size)


# %% visible exercise="ex-lm-blind"
assert blind_perplexity(28, 1) is not None, (
    "blind_perplexity returns nothing yet"
)
assert abs(float(blind_perplexity(28, 1)) - 28) < 1e-4, (
    "one guess among 28 characters has perplexity 28"
)
assert worse_than_blind(numpy.full(4, 0.5), 28) in (True, False), (
    "worse_than_blind has to return True or False"
)
assert not worse_than_blind(numpy.full(4, 0.5), 28), (
    "who gives every target 1/2 is better than a guess among 28"
)
assert worse_than_blind(numpy.full(4, 0.01), 28), (
    "who gives every target 0.01 is worse than a guess among 28"
)

# %% hidden exercise="ex-lm-blind"
for size, steps in ((5, 40), (28, 1000), (100, 3)):
    each = numpy.full(steps, 1 / size)  # what every target is given
    expected = numpy.exp(-numpy.log(each).mean())
    assert abs(float(blind_perplexity(size, steps)) - expected) < 1e-6, (
        "put p_t = 1/V into the definition of the perplexity, at every step"
    )
draws = numpy.random.default_rng(1)
for _ in range(200):
    p = draws.uniform(0.001, 1, size=12) ** draws.integers(1, 4)
    guesses = 1 / numpy.prod(p ** (1 / 12))  # 1 over the geometric mean
    if abs(guesses / 10 - 1) > 1e-6:
        assert bool(worse_than_blind(p, 10)) == (guesses > 10), (
            "which mean of the probabilities is in the perplexity? A single "
            "bad guess may be made good, and many good ones may be ruined"
        )
ruined = numpy.array([0.9, 0.9, 0.9, 1e-12])
assert worse_than_blind(ruined, 28), (
    "a model that is confident and once badly wrong: compute its perplexity"
)

# %% stub exercise="ex-lm-columns"
# What goes wrong is for discussion. Hand in the check that would have
# caught it.


def goes_on(minibatches):
    """Say whether the state may be carried all along: True or False.

    minibatches is a list of pairs X, Y in the order in which they are read.
    Each is an int array (steps, columns); the number of steps may differ.
    """
    ...


# %% solution exercise="ex-lm-columns"
def goes_on(minibatches):
    """Say whether the state may be carried all along: True or False."""
    neighbours = itertools.pairwise(minibatches)
    return all((Y[-1] == X[0]).all() for (_, Y), (X, _) in neighbours)


# %% wrong exercise="ex-lm-columns" belief="it is enough that Y is one step ahead of X"
def goes_on(minibatches):
    return all((Y[:-1] == X[1:]).all() for X, Y in minibatches)


# %% wrong exercise="ex-lm-columns" belief="one stream that goes on is enough"
def goes_on(minibatches):
    neighbours = itertools.pairwise(minibatches)
    return all(Y[-1, 0] == X[0, 0] for (_, Y), (X, _) in neighbours)


# %% visible exercise="ex-lm-columns"
def in_minibatches(length):
    X, Y = (part.asnumpy() for part in d2lutil.streams(numpy.arange(97), 4))
    starts = range(0, len(X), length)
    return [(X[s : s + length], Y[s : s + length]) for s in starts]


assert goes_on(in_minibatches(6)) in (True, False), (
    "goes_on has to return True or False"
)
assert goes_on(in_minibatches(6)), "here the minibatches are in order"
assert goes_on(in_minibatches(6)[:1]), "a single minibatch has no border"

# %% hidden exercise="ex-lm-columns"
tokens = numpy.random.default_rng(5).permutation(400)
whole = [part.asnumpy() for part in d2lutil.streams(tokens, 3)]
rows = [slice(0, 30), slice(30, 65), slice(65, 100), slice(100, 133)]
four = [tuple(part[r] for part in whole) for r in rows]
assert goes_on(four), "these minibatches go on, though not all are as long"
assert goes_on(four[1:]), "a part of the text goes on as well"
for order in ([0, 2, 1, 3], [3, 2, 1, 0], [0, 1, 3], [0, 0, 1, 2]):
    assert not goes_on([four[k] for k in order]), (
        "the minibatches were shuffled, left out or repeated, and your check "
        "does not notice: look at the border between two of them"
    )
swapped = [
    (X[:, [0, 2, 1]], Y[:, [0, 2, 1]]) if k == 2 else (X, Y)
    for k, (X, Y) in enumerate(four)
]
assert not goes_on(swapped), (
    "two streams have changed places in the third minibatch, so two of the "
    "three carried states belong to another text"
)


# %% stub exercise="ex-lm-bits"
def bits_per_character(ppl):
    """Convert a perplexity into bits per character, a number."""
    ...


# %% solution exercise="ex-lm-bits"
def bits_per_character(ppl):
    """Convert a perplexity into bits per character, a number."""
    return numpy.log2(ppl)


# %% wrong exercise="ex-lm-bits" belief="bits and nats are the same"
def bits_per_character(ppl):
    return numpy.log(ppl)


# %% wrong exercise="ex-lm-bits" belief="a nat is ln 2 bits"
def bits_per_character(ppl):
    return numpy.log(ppl) * numpy.log(2)


# %% visible exercise="ex-lm-bits"
assert bits_per_character(28.0) is not None, (
    "bits_per_character returns nothing yet"
)
assert numpy.isfinite(float(bits_per_character(28.0))), (
    "bits per character are a finite number"
)
assert abs(float(bits_per_character(1.0))) < 1e-9, (
    "certainty, perplexity 1, costs no bits"
)

# %% hidden exercise="ex-lm-bits"
draws = numpy.random.default_rng(2)
for _ in range(20):
    p = draws.uniform(0.01, 1, size=50)
    given = float(bits_per_character(numpy.exp(-numpy.log(p).mean())))
    assert abs(given + numpy.log2(p).mean()) < 1e-4, (
        "compare with the mean of -log2 p over the probabilities: for which "
        "perplexity should one character take exactly one bit?"
    )

# %% stub exercise="ex-lm-memory"
# train and held_out, int arrays, are there to try the functions on.


def trigram(source, target, vocab_size):
    """Return a perplexity: trigrams counted on source, tested on target.

    Both are int arrays. Add 1 to every count; the first two characters of
    target are not predicted.
    """
    ...


def overfitting(source, target, vocab_size):
    """Return two ratios, that of the pairs and that of the triples.

    A ratio is the perplexity on target over that on source, with counts of
    source in both. Pairs predict every character but the first, triples every
    one but the first two.
    """
    ...


# %% solution exercise="ex-lm-memory"
def trigram(source, target, vocab_size):
    """Return a perplexity: trigrams counted on source, tested on target."""
    V = vocab_size
    table = numpy.ones((V * V, V))
    numpy.add.at(table, (source[:-2] * V + source[1:-1], source[2:]), 1)
    table /= table.sum(axis=1, keepdims=True)
    p = table[target[:-2] * V + target[1:-1], target[2:]]
    return numpy.exp(-numpy.log(p).mean())


def bigram(source, target, vocab_size):
    """Return a perplexity: pairs counted on source, tested on target."""
    table = numpy.ones((vocab_size, vocab_size))
    numpy.add.at(table, (source[:-1], source[1:]), 1)
    table /= table.sum(axis=1, keepdims=True)
    return numpy.exp(-numpy.log(table[target[:-1], target[1:]]).mean())


def overfitting(source, target, vocab_size):
    """Return two ratios, that of the pairs and that of the triples."""
    return tuple(
        ppl(source, target, vocab_size) / ppl(source, source, vocab_size)
        for ppl in (bigram, trigram)
    )


# %% wrong exercise="ex-lm-memory" belief="a trigram is a pair two characters apart"
def apart(source, target, vocab_size, lag):
    table = numpy.ones((vocab_size, vocab_size))
    numpy.add.at(table, (source[:-lag], source[lag:]), 1)
    table /= table.sum(axis=1, keepdims=True)
    return numpy.exp(-numpy.log(table[target[:-lag], target[lag:]]).mean())


def trigram(source, target, vocab_size):
    return apart(source, target, vocab_size, 2)


def overfitting(source, target, vocab_size):
    return [
        apart(source, target, vocab_size, lag)
        / apart(source, source, vocab_size, lag)
        for lag in (1, 2)
    ]


# %% wrong exercise="ex-lm-memory" belief="the table is counted on the text that it is tested on"
def counted(text, vocab_size, k):
    table = numpy.ones(vocab_size ** (k + 1))
    words = [text[j : len(text) - k + j] for j in range(k + 1)]
    places = sum(w * vocab_size ** (k - j) for j, w in enumerate(words))
    numpy.add.at(table, places, 1)
    table = table.reshape(-1, vocab_size)
    table = table / table.sum(axis=1, keepdims=True)
    return numpy.exp(-numpy.log(table.ravel()[places]).mean())


def trigram(source, target, vocab_size):
    return counted(target, vocab_size, 2)


def overfitting(source, target, vocab_size):
    return [
        counted(target, vocab_size, k) / counted(source, vocab_size, k)
        for k in (1, 2)
    ]


# %% visible exercise="ex-lm-memory"
banana = numpy.array([1, 0, 2, 0, 2, 0])  # b a n a n a
assert trigram(banana, banana, 3) is not None, "trigram returns nothing yet"
assert 1 < float(trigram(banana, banana, 3)) < 3, (
    "a perplexity among three characters lies between 1 and 3 here"
)
assert numpy.shape(overfitting(banana, banana, 3)) == (2,), (
    "overfitting returns two numbers, of the pairs and of the triples"
)
assert numpy.allclose(
    numpy.array(overfitting(banana, banana, 3), float), 1
), "tested on the text that was counted, both ratios are 1"


# %% hidden exercise="ex-lm-memory"
def by_dictionary(source, target, size, k):
    """Count and look up in plain Python, one prediction after the other."""
    seen = {}
    for t in range(k, len(source)):
        past = tuple(source[t - k : t])
        seen.setdefault(past, [1] * size)[source[t]] += 1
    surprise = 0.0
    for t in range(k, len(target)):
        row = seen.get(tuple(target[t - k : t]), [1] * size)
        surprise -= numpy.log(row[target[t]] / sum(row))
    return numpy.exp(surprise / (len(target) - k))


draws = numpy.random.default_rng(3)
for size in (3, 5):
    habit = draws.dirichlet(numpy.ones(size), size=(size, size))
    letters = [0, 1]
    for _ in range(1500):
        letters.append(draws.choice(size, p=habit[letters[-2], letters[-1]]))
    source, target = numpy.array(letters[:900]), numpy.array(letters[900:])
    expected = by_dictionary(source, target, size, 2)
    assert abs(float(trigram(source, target, size)) / expected - 1) < 1e-4, (
        "count on source what follows each PAIR of characters, add 1 to every "
        "count, and look up the triples of target"
    )
    ratios = [
        by_dictionary(source, target, size, k)
        / by_dictionary(source, source, size, k)
        for k in (1, 2)
    ]
    given = numpy.array(overfitting(source, target, size), dtype=float)
    assert abs(given / ratios - 1).max() < 1e-4, (
        "both perplexities of a ratio use the counts of source, and a table "
        "that knows its own text too well has a ratio above 1"
    )

# %% stub exercise="ex-lm-shuffle"
# train and held_out, int arrays, are there to try the function on.


def shuffled(source, target, vocab_size, rng):
    """Return two perplexities on target, with single characters and pairs.

    Both are counted on source after its characters were shuffled by rng, a
    numpy.random.Generator. Add 1 to every count, and leave out the first
    character of target in both.
    """
    ...


# The perplexities that shuffling changes: "unigram", "bigram", or "both".
changes = ...


# %% solution exercise="ex-lm-shuffle"
def shuffled(source, target, vocab_size, rng):
    """Return two perplexities on target, with single characters and pairs."""
    source = rng.permutation(source)
    single = numpy.bincount(source, minlength=vocab_size) + 1
    p = (single / single.sum())[target[1:]]
    counts = numpy.ones((vocab_size, vocab_size))
    numpy.add.at(counts, (source[:-1], source[1:]), 1)
    table = counts / counts.sum(axis=1, keepdims=True)
    q = table[target[:-1], target[1:]]
    return [numpy.exp(-numpy.log(each).mean()) for each in (p, q)]


changes = "bigram"


# %% wrong exercise="ex-lm-shuffle" belief="to shuffle a text, shuffle its pairs of input and target"
def shuffled(source, target, vocab_size, rng):
    order = rng.permutation(len(source) - 1)
    X, Y = source[:-1][order], source[1:][order]
    single = numpy.bincount(source, minlength=vocab_size) + 1
    p = (single / single.sum())[target[1:]]
    counts = numpy.ones((vocab_size, vocab_size))
    numpy.add.at(counts, (X, Y), 1)
    table = counts / counts.sum(axis=1, keepdims=True)
    q = table[target[:-1], target[1:]]
    return [numpy.exp(-numpy.log(each).mean()) for each in (p, q)]


changes = "bigram"


# %% wrong exercise="ex-lm-shuffle" belief="in a shuffled text every guess is blind"
def shuffled(source, target, vocab_size, rng):
    return float(vocab_size), float(vocab_size)


changes = "both"


# %% wrong exercise="ex-lm-shuffle" belief="in a shuffled text pairs need not be counted: they cost what single characters cost"
def shuffled(source, target, vocab_size, rng):
    single = numpy.bincount(source, minlength=vocab_size) + 1
    p = (single / single.sum())[target[1:]]
    return [numpy.exp(-numpy.log(p).mean())] * 2


changes = "bigram"

# %% visible exercise="ex-lm-shuffle"
pair = shuffled(
    train.copy(), held_out, len(vocab), numpy.random.default_rng(0)
)
assert pair is not None, "shuffled returns nothing yet"
assert numpy.shape(pair) == (2,), "shuffled returns two perplexities"
assert min(float(each) for each in pair) > 1, "a perplexity is at least 1"
assert changes in ("unigram", "bigram", "both"), (
    'changes is one of "unigram", "bigram", "both"'
)


# %% hidden exercise="ex-lm-shuffle"
def counted_pairs(source, target, size):
    """Return both perplexities without shuffling, in plain Python."""
    single, pairs = [1] * size, [[1] * size for _ in range(size)]
    for token in source:
        single[token] += 1
    for i, j in itertools.pairwise(source):
        pairs[i][j] += 1
    p = [single[j] / sum(single) for j in target[1:]]
    steps = itertools.pairwise(target)
    q = [pairs[i][j] / sum(pairs[i]) for i, j in steps]
    return [numpy.exp(-numpy.log(each).mean()) for each in (p, q)]


draws, size = numpy.random.default_rng(4), 5
habit = draws.dirichlet(numpy.full(size, 0.5), size=size).cumsum(axis=1)
letters = [0]
for u in draws.random(30_000):
    letters.append(min(int((habit[letters[-1]] < u).sum()), size - 1))
source, target = numpy.array(letters[:25_000]), numpy.array(letters[25_000:])
in_order = counted_pairs(source, target, size)
given = shuffled(source.copy(), target, size, numpy.random.default_rng(5))
given = numpy.array(given, dtype=float)
assert abs(given[0] / in_order[0] - 1) < 1e-4, (
    "how often a character occurs: does that depend on the order?"
)
assert abs(given[1] / in_order[1] - 1) > 0.05, (
    "the pairs of your shuffled text are still those of the text: shuffle the "
    "characters first, and count then"
)
assert abs(given[1] / in_order[0] - 1) < 0.01, (
    "what does the character before still say about the next one, and which "
    "model knows as much as that?"
)
assert given[1] != given[0], (
    "count the pairs of the shuffled text, too: they are no single characters"
)
moved = abs(given / in_order - 1) > 1e-4
answer = {(True, False): "unigram", (False, True): "bigram"}
assert changes == answer.get(tuple(moved.tolist()), "both"), (
    "compare each of your two numbers with that of the text in order"
)
