import math

import numpy
import pytest
import reference
from mxnet import np
from reference import VOCAB_SIZE

import d2lutil

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
