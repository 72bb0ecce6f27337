import math

import mxnet
import numpy
import pytest
import reference
from mxnet import gluon, np
from reference import VOCAB_SIZE

import d2lutil
from d2lutil import evaluation

X, Y = reference.make_text()
STORY = d2lutil.normalize(d2lutil.load_corpus("noon_road").text)[:3000]
VOCAB = d2lutil.Vocab(STORY)


@pytest.fixture
def net():
    return reference.make_net()


@pytest.fixture
def rng():
    return numpy.random.default_rng(0)


@pytest.mark.parametrize("num_steps", [1, 4095, 4096, 4097, 9000])
def test_perplexity_is_exp_of_the_mean_loss(num_steps, net):
    X, Y = reference.make_text(num_steps, batch_size=2)
    params = reference.values(net)
    H = reference.forward(params, X, numpy.zeros((2, reference.NUM_HIDDENS)))
    mean = reference.summed_loss(params, H[1:], Y) / Y.size
    assert d2lutil.perplexity(net, X, Y) == pytest.approx(math.exp(mean), rel=1e-12)


@pytest.mark.parametrize("batch_size", [1, 3, 10_000])
def test_perplexity_reads_so_many_predictions_at_once(batch_size, net, monkeypatch):
    sizes, forward = [], d2lutil.RNN.forward
    monkeypatch.setattr(
        d2lutil.RNN, "forward", lambda self, X, h, *rest: (sizes.append(X.size), forward(self, X, h))[1]
    )
    d2lutil.perplexity(net, *reference.make_text(20_000 // batch_size, batch_size))
    assert sum(sizes) == 20_000 // batch_size * batch_size
    assert max(sizes) <= max(8192, batch_size)
    assert len(sizes) <= 3


def test_perplexity_of_guessing_is_the_number_of_tokens(net):
    for parameter in net.collect_params().values():
        parameter.set_data(np.zeros(parameter.shape, dtype="float64"))
    assert d2lutil.perplexity(net, X, Y) == pytest.approx(VOCAB_SIZE)


def test_perplexity_beyond_all_floats_is_infinite(net):
    net.b_q.set_data(np.array([1e6, *[0] * (VOCAB_SIZE - 1)], dtype="float64"))
    assert d2lutil.perplexity(net, X, numpy.ones_like(X)) == math.inf


CELLS = [d2lutil.RNN, d2lutil.GRU, d2lutil.LSTM]


@pytest.fixture(params=CELLS, ids=lambda cell: cell.__name__)
def cell(request):
    mxnet.random.seed(0)
    net = request.param(len(VOCAB), 12)
    net.initialize()
    return net


def losses(net, X, Y):
    """Return the cross-entropies of a text without beginnings, from the zero state."""
    O = net(np.array(X, dtype=X.dtype), net.begin_state(X.shape[1]))[0].asnumpy().astype("float64")
    O -= numpy.log(numpy.exp(O).sum(axis=-1, keepdims=True))
    return -numpy.take_along_axis(O, Y[..., None], axis=-1)[..., 0]


@pytest.mark.parametrize("at_once", [3, 8192])
def test_perplexity_weighs_predictions_and_begins_sequences(cell, at_once, monkeypatch):
    monkeypatch.setattr(evaluation, "PREDICTIONS_AT_ONCE", at_once)
    begins, weights = numpy.zeros((23, 3), dtype=bool), numpy.random.default_rng(0).random((23, 3))
    begins[[4, 15], [0, 2]] = begins[9] = True
    weights[weights < 0.2] = 0
    expected = numpy.zeros((23, 3))
    for column in range(3):
        starts = [0, *numpy.flatnonzero(begins[:, column])]
        for start, stop in zip(starts, [*starts[1:], 23], strict=True):
            part = slice(start, stop), slice(column, column + 1)
            expected[part] = losses(cell, X[part], Y[part])
    mean = (weights * expected).sum() / weights.sum()
    hidden = numpy.where(weights > 0, Y, -1)
    given = d2lutil.perplexity(cell, X, hidden, begins=begins, weights=weights)
    assert given == pytest.approx(math.exp(mean), rel=1e-5)


class Layers(mxnet.gluon.Block):
    """Two layers of Gluon's GRU between an embedding and the logits."""

    def __init__(self):
        super().__init__()
        self.embed, self.dense = gluon.nn.Embedding(7, 3), gluon.nn.Dense(7, flatten=False)
        self.gru = gluon.rnn.GRU(4, num_layers=2, dropout=0.5)

    def begin_state(self, batch_size):
        return self.gru.begin_state(batch_size)

    def forward(self, X, h):
        H, h = self.gru(self.embed(X), h)
        return self.dense(H), h


def test_perplexity_of_a_block_weighs_and_begins_too():
    net = Layers()
    net.initialize(mxnet.init.Normal(1))
    begins, weights = numpy.zeros((23, 3), dtype=bool), numpy.ones(23)
    begins[8, 1], weights[:2] = True, 0
    whole, part = losses(net, X, Y), (slice(8, 23), slice(1, 2))
    whole[part] = losses(net, X[part], Y[part])
    given = d2lutil.perplexity(net, X, Y, begins=begins, weights=weights)
    assert given == pytest.approx(math.exp(whole[2:].mean()), rel=1e-5)
    with pytest.raises(ValueError, match=r"O of shape \(23, 3, 7\); allowed: \(23, 3, 8\)"):
        d2lutil.perplexity(net, X, numpy.full_like(Y, 7))


def test_a_loss_that_is_not_finite_does_not_matter_where_its_weight_is_0(net):
    O = net(X, net.begin_state(3))[0]
    weights = numpy.ones(23)
    weights[-1] = 0
    expected = d2lutil.perplexity(net, X[:-1], Y[:-1])
    forward = type(net).forward

    def broken(self, *args):
        O, h = forward(self, *args)
        O[-1] = math.nan
        return O, h

    assert O.shape == (23, 3, VOCAB_SIZE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(net), "forward", broken)
        assert d2lutil.perplexity(net, X, Y, weights=weights) == pytest.approx(expected)
        assert math.isnan(d2lutil.perplexity(net, X, Y))


def test_perplexity_without_anything_that_counts_is_refused(net):
    with pytest.raises(ValueError, match="weights sum to 0; allowed: at least one above 0"):
        d2lutil.perplexity(net, X, Y, weights=numpy.zeros(23))


def test_perplexity_of_a_block_without_a_first_state_is_refused():
    dense = gluon.nn.Dense(7)
    dense.initialize()
    with pytest.raises(TypeError, match=r"allowed for net: a block with begin_state.*; given Dense"):
        d2lutil.perplexity(dense, X, Y)


def test_perplexity_refuses_targets_of_another_shape(net):
    with pytest.raises(ValueError, match=r"Y has shape \(22, 3\); allowed: .*\(23, 3\)"):
        d2lutil.perplexity(net, X, Y[1:])


@pytest.fixture
def writer():
    return reference.make_net("float32", vocab_size=len(VOCAB), num_hiddens=12)


@pytest.mark.parametrize("num_chars", [0, 1, 40])
def test_generate_adds_characters_to_the_prefix(num_chars, writer):
    text = d2lutil.generate(writer, VOCAB, "the noon", num_chars)
    assert text.startswith("the noon")
    assert len(text) == len("the noon") + num_chars


def test_every_cell_generates_what_it_finds_likeliest(cell):
    text = d2lutil.generate(cell, VOCAB, "the noon", 20)
    ids = VOCAB.encode(text)
    O, _ = cell(ids[:-1, None], cell.begin_state(1))
    assert (ids[8:] == O.asnumpy()[7:, 0, 1:].argmax(axis=-1) + 1).all()


def test_generate_refuses_what_is_no_network_over_characters():
    with pytest.raises(TypeError, match="allowed for net: an RNN, GRU or LSTM of d2lutil; given Layers"):
        d2lutil.generate(Layers(), VOCAB, "a", 2)


def test_generate_takes_the_likeliest_character(writer):
    text = d2lutil.generate(writer, VOCAB, "the noon", 30)
    ids = VOCAB.encode(text)
    O, _ = writer(ids[:-1, None], writer.begin_state(1))
    likeliest = O.asnumpy()[len("the noon") - 1 :, 0, 1:].argmax(axis=-1) + 1
    assert (ids[len("the noon") :] == likeliest).all()


def test_generate_depends_on_the_generator_alone(writer):
    draws = [
        d2lutil.generate(writer, VOCAB, "a", 40, temperature=1, rng=numpy.random.default_rng(seed))
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_generate_draws_from_the_softmax(net, rng):
    vocab = d2lutil.Vocab("abcdef")
    net.W_hq.set_data(np.zeros(net.W_hq.shape, dtype="float64"))
    net.b_q.set_data(np.linspace(0, 4, VOCAB_SIZE, dtype="float64"))
    text = d2lutil.generate(net, vocab, "a", 1000, temperature=2, rng=rng)[1:]
    shares = numpy.bincount(vocab.encode(text), minlength=VOCAB_SIZE) / 1000
    p = numpy.exp(net.b_q.data().asnumpy() / 2)
    p[0] = 0
    p /= p.sum()
    assert (abs(shares - p) <= 5 * (p * (1 - p) / 1000) ** 0.5).all()


@pytest.mark.parametrize("temperature", [0, 1])
def test_generate_never_adds_the_unknown_token(temperature, writer, rng):
    writer.b_q.data()[0] = 100
    text = d2lutil.generate(writer, VOCAB, "a?", 50, temperature=temperature, rng=rng)
    assert text.startswith("a?")
    assert VOCAB.unknown not in text


def test_generate_with_broken_parameters_is_refused(writer):
    writer.b_q.data()[3] = math.nan
    with pytest.raises(ValueError, match="net gives logits that are not finite; allowed: finite param"):
        d2lutil.generate(writer, VOCAB, "a", 2)


BAD = [
    ({"prefix": ""}, ValueError, "prefix=''; allowed: a string of at least one character"),
    ({"prefix": None}, ValueError, "prefix=None; allowed: a string"),
    ({"num_chars": -1}, ValueError, "num_chars=-1; allowed: an integer of at least 0"),
    ({"num_chars": 2.0}, TypeError, r"num_chars=2\.0; allowed: an integer"),
    ({"temperature": -1}, ValueError, r"temperature=-1\.0; allowed: a number >= 0"),
    ({"temperature": math.nan}, ValueError, "temperature=nan; allowed: a number >= 0"),
    ({"temperature": 1}, TypeError, "rng=None; allowed with temperature > 0: a numpy.random"),
    ({"vocab": d2lutil.Vocab("ab")}, ValueError, "vocab holds 3 tokens; allowed: the net's"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD)
def test_bad_arguments_of_generate_are_named(change, error, message, writer):
    arguments = {"vocab": VOCAB, "prefix": "a", "num_chars": 2, **change}
    with pytest.raises(error, match=message):
        d2lutil.generate(writer, **arguments)


def test_the_unknown_token_stays_out_at_the_lowest_temperatures(rng):
    net = reference.make_net()
    net.b_q.set_data(np.full(VOCAB_SIZE, -50, dtype="float64"))
    vocab = d2lutil.Vocab("abcdef")
    coldest = d2lutil.generate(net, vocab, "ab", 5, temperature=1e-310, rng=rng)
    assert coldest == d2lutil.generate(net, vocab, "ab", 5)


@pytest.mark.parametrize("cell", reference.CELLS)
def test_one_token_is_predicted_perfectly(cell):
    net = reference.make_net("float32", vocab_size=1, cell=cell)
    assert d2lutil.perplexity(net, [[0], [0]], [[0], [0]]) == 1


def test_the_perplexity_of_single_precision_is_not_biased():
    net, exact = reference.make_net("float32"), reference.make_net("float32")
    exact.cast("float64")
    text = numpy.random.default_rng(0).integers(VOCAB_SIZE, size=(2, 1000, 8))
    assert d2lutil.perplexity(net, *text) == pytest.approx(d2lutil.perplexity(exact, *text), rel=2e-7)


def test_the_perplexity_of_half_precision_does_not_sum_in_it():
    class Table(gluon.nn.Embedding):
        def forward(self, X, h):
            return super().forward(X), h

        def begin_state(self, batch_size):
            return np.zeros((batch_size, 1), dtype="float16")

    net = Table(8, 8)
    net.initialize(mxnet.init.Zero())
    net.cast("float16")
    text = numpy.random.default_rng(0).integers(8, size=(2, 8192, 4))
    assert d2lutil.perplexity(net, *text) == pytest.approx(8, rel=1e-6)


def test_it_names_what_is_no_network_or_vocabulary(net):
    with pytest.raises(TypeError, match="net=None; allowed: an RNN, GRU, LSTM or another Gluon block"):
        d2lutil.perplexity(None, X, Y)
    with pytest.raises(TypeError, match=r"vocab=.*; allowed: a Vocab"):
        d2lutil.generate(net, list("abcdefg"), "a", 1)
