import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import mxnet
import pytest
import reference
from mxnet import autograd, gluon
from reference import BATCH_SIZE, CELLS, NUM_HIDDENS, NUM_STEPS, VOCAB_SIZE

import d2lutil

COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
}


def in_thread(function, *args):
    """Return what a function returns in another thread than the one that imported the package."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(function, *args).result()


@pytest.mark.parametrize("way", [*COPIES, "load"])
def test_a_changed_grad_req_survives(way, cell, net, tmp_path):
    net.b_q.grad_req, net.W_hh.grad_req, net.W_hq.lr_mult = "null", "add", 0.5
    if way == "load":
        net.save_parameters(tmp_path / "net.params")
        net.load_parameters(tmp_path / "net.params")
        other = net
    else:
        other = COPIES[way](net)
    assert [other.b_q.grad_req, other.W_hh.grad_req, other.b_h.grad_req] == ["null", "add", "write"]
    assert other.W_hq.lr_mult == 0.5
    with pytest.raises(RuntimeError, match="grad_req='null'"):
        other.b_q.grad()
    sums = []
    for _ in range(2):
        with autograd.record():
            O, _ = other([[1]], other.begin_state(1))
            O.sum().backward()
        sums.append([float(abs(other.W_hh.grad()).sum()), float(abs(other.W_hq.grad()).sum())])
    assert sums[1][1] == sums[0][1] > 0


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_whole(way, cell, net, text, state):
    net.collect_params().reset_ctx(mxnet.cpu(1))
    state = [part.as_in_ctx(mxnet.cpu(1)) for part in reference.parts(state)]
    state = tuple(state) if cell == "lstm" else state[0]
    with autograd.record():
        net(text[0], state)[0].sum().backward()
    other = COPIES[way](net)
    assert type(other) is type(net)
    assert [other.vocab_size, other.num_hiddens] == [VOCAB_SIZE, NUM_HIDDENS]
    assert list(other.collect_params().values()) == other.parameters()
    assert {parameter.data().ctx for parameter in other.parameters()} == {mxnet.cpu(1)}
    assert all(parameter.data().dtype == parameter.dtype == "float64" for parameter in other.parameters())
    assert all(parameter.data()._fresh_grad for parameter in other.parameters())
    assert reference.difference(reference.values(net), reference.values(other)) == 0
    assert reference.difference(reference.gradients(net), reference.gradients(other)) == 0


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_learns_and_leaves_the_original_alone(way, net, text, state):
    trainer = gluon.Trainer(net.collect_params(), "adam", kvstore=None)
    expected = reference.autograd_gradients(lambda: net(text[0], state), net, state, text[1])
    values = reference.values(net)
    other = COPIES[way](net)
    assert other.W_hh is not net.W_hh
    for parameter in other.parameters():
        parameter.grad()[:] = 0
    computed = reference.autograd_gradients(lambda: other(text[0], state), other, state, text[1])
    assert reference.difference(computed, expected) == 0
    gluon.Trainer(other.collect_params(), "sgd", {"learning_rate": 0.5}).step(1)
    assert reference.difference(reference.values(other), values) > 0.01
    assert reference.difference(reference.values(net), values) == 0
    assert reference.difference(reference.gradients(net), {n: expected[n] for n in net.names}) == 0
    trainer.step(1)
    assert reference.difference(reference.values(net), values) > 0


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_has_no_trainer(way, net):
    devices = [mxnet.cpu(0), mxnet.cpu(1)]
    net.initialize(ctx=devices, force_reinit=True)
    trainer = gluon.Trainer(net.collect_params(), "sgd")
    with autograd.record():
        for ctx in devices:
            states = [part.as_in_ctx(ctx) for part in reference.parts(net.begin_state(1))]
            net([[1]], states if len(states) > 1 else states[0])[0].sum().backward()
    trainer.step(1)  # from here on it holds what cannot be pickled
    other = COPIES[way](net)
    assert other.W_hh.list_ctx() == devices
    assert net.W_hh._trainer is trainer
    assert other.W_hh._trainer is None


@pytest.mark.parametrize("way", COPIES)
def test_bptt_trains_a_copy(way, net, text, state):
    other = COPIES[way](net)
    for each in (net, other):
        d2lutil.bptt(each, *text, state, d2lutil.regular(NUM_STEPS, 4))
    assert reference.difference(reference.gradients(net), reference.gradients(other)) == 0
    history = d2lutil.train(
        other, *text, d2lutil.full, lr=0.5, theta=1, mean_length=NUM_STEPS, num_tokens=200
    )
    assert history[-1]["perplexity"] < history[0]["perplexity"]


@pytest.mark.parametrize("way", COPIES)
def test_a_network_without_values_is_copied_too(way, cell):
    other = COPIES[way](CELLS[cell](VOCAB_SIZE, NUM_HIDDENS))
    other.cast("float64")
    other.initialize()
    assert other.W_hh.grad().dtype == "float64"


def test_a_block_that_holds_a_network_is_copied(net):
    outer = gluon.nn.Sequential()
    outer.add(net)
    other = pickle.loads(pickle.dumps(outer))
    assert reference.difference(reference.values(other[0]), reference.values(net)) == 0
    with autograd.record():
        other[0]([[1]], other[0].begin_state(1))[0].sum().backward()
    assert other[0].W_hh.grad() is not None
    assert other[0].b_q.grad().asnumpy().any()


def test_a_network_lives_in_another_thread(cell, text, tmp_path):
    def life():
        net = CELLS[cell](VOCAB_SIZE, NUM_HIDDENS)
        net.initialize()
        net.cast("float64")
        state = net.begin_state(BATCH_SIZE)
        grads = reference.autograd_gradients(
            lambda: net(text[0], state, *reference.columns(2)), net, state, text[1]
        )
        net.save_parameters(tmp_path / "net.params")
        other = CELLS[cell](VOCAB_SIZE, NUM_HIDDENS)
        other.load_parameters(tmp_path / "net.params")
        perplexity = d2lutil.perplexity(copy.deepcopy(other), *text)
        vocab = d2lutil.Vocab("abcdef")
        return net, grads, perplexity, d2lutil.generate(net, vocab, "abc", 5), pickle.dumps(other)

    net, grads, perplexity, story, pickled = in_thread(life)
    assert perplexity == d2lutil.perplexity(net, *text)
    assert story == d2lutil.generate(net, d2lutil.Vocab("abcdef"), "abc", 5)
    assert reference.difference(reference.values(pickle.loads(pickled)), reference.values(net)) == 0
    state = net.begin_state(BATCH_SIZE)
    here = reference.autograd_gradients(
        lambda: net(text[0], state, *reference.columns(2)), net, state, text[1]
    )
    assert reference.difference(here, grads) == 0


def test_the_gradient_by_hand_and_training_in_another_thread(cell, text):
    def learn():
        net = reference.make_net(cell=cell)
        loss, last = d2lutil.bptt(net, *text, net.begin_state(BATCH_SIZE), d2lutil.regular(NUM_STEPS, 4))
        norm = d2lutil.clip_gradients(net.collect_params(), 1)
        d2lutil.zero_gradients(net.parameters())
        settings = {"lr": 0.5, "theta": 1, "mean_length": NUM_STEPS, "num_tokens": 200}
        history = d2lutil.train(net, *text, d2lutil.full, held_out=tuple(text), **settings)
        J = d2lutil.jacobians(net, text[0][:, :1])
        last = [part.tolist() for part in reference.parts(last)]
        return loss, last, norm, history[-1]["held_out"], J.tolist()

    assert in_thread(learn) == learn()
