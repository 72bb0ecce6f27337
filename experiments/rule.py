"""The rule for τ, «measure β once, take five to ten times 1/(1-β)»: networks trained at the τ it names."""

import d2lutil
from experiments import novel, table, text, text_tuning

__all__ = ["TABLE", "measure", "runs"]

FACTORS, SEEDS, ARM = (5, 10), range(10), "chunks 35"
TABLE = table.Table(
    "rule", ["network", "factor", "seed"], ["beta", "tau", "held_out", "window", "beta_after"]
)
MARGINS = {"tau": {"abs_tol": 0}, "held_out": {"rel_tol": 0.03}}


def runs():
    """Return the settings of all runs."""
    return [
        {"network": network, "factor": factor, "seed": seed}
        for network in ("tanh", "lstm")
        for factor in FACTORS
        for seed in SEEDS
    ]


def measure(network, factor, seed):
    """Read β off the network of this seed that chunks of 35 trained, and train one at the τ it names."""
    mine = (network, ARM, seed)
    (row,) = (row for row in text.TABLE.rows() if (row["network"], row["arm"], row["seed"]) == mine)
    tau = max(1, round(factor / (1 - row["beta"])))
    rate = text_tuning.best(network, ARM)
    net, _ = novel.train(network, f"chunks {tau}", seed, rate, novel.PASSES[network])
    split, beta_after = novel.by_lag(net)
    return {
        "beta": row["beta"],
        "tau": tau,
        "held_out": round(d2lutil.perplexity(net, *novel.corpus()[2]), 5),
        "window": split.window(),
        "beta_after": beta_after,
    }
