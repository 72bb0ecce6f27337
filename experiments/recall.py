"""Recall: lags against lengths of truncation, and at one lag the place of the border."""

from experiments import recall_tuning, table, trials

__all__ = ["TABLE", "measure", "runs"]

LAGS, SEEDS = (4, 8, 16, 32), range(10)
TABLE = table.Table(
    "recall",
    ["network", "lag", "scheme", "tau", "seed"],
    ["rate", "accuracy", "learned_after", "beta_untrained", "beta"],
)
MARGINS = {"accuracy": {"abs_tol": 0.15}, "rate": {"rel_tol": 0}}


def runs():
    """Return the settings of all runs."""
    cells = [("full", lag, 0) for lag in LAGS] + [("chunks", lag, 1) for lag in LAGS]
    cells += [
        (scheme, lag, tau)
        for lag in LAGS
        for tau in (lag // 2, lag, 2 * lag)
        for scheme in ("chunks", "random lengths", "randomized")
    ]
    cells += [("window", 8, tau) for tau in (1, 4, 8, 16)] + [(border, 8, 0) for border in trials.BORDERS]
    return [
        {"network": network, "lag": lag, "scheme": scheme, "tau": tau, "seed": seed}
        for network in ("tanh", "lstm")
        for scheme, lag, tau in cells
        for seed in SEEDS
    ]


def measure(network, lag, scheme, tau, seed):
    """Train a network and return what :data:`TABLE` has of it."""
    rate = recall_tuning.best(network, lag)
    return {"rate": rate} | trials.train(network, lag, scheme, tau, seed, rate)
