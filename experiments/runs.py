"""Running an experiment: what is missing in its table, a run on each processor at a time."""

import importlib
import math

from tqdm import tqdm

from experiments import nudged, table

__all__ = ["check", "complete", "execute"]


def measure(task):
    """Run one setting of an experiment in a process of the pool."""
    name, settings = task
    module = importlib.import_module(f"experiments.{name}")
    return settings | table.timed(module.measure, settings)


def execute(name, pool, commit):
    """Run what is missing in the table of an experiment, and bring the table into the order of the plan.

    Parameters
    ----------
    name : str
        The module of the experiment: ``runs()`` gives the settings, ``measure(**settings)`` a row of
        ``TABLE``.
    pool : multiprocessing.Pool
    commit : str
        What the rows are made with.
    """
    module = importlib.import_module(f"experiments.{name}")
    store = module.TABLE
    while tasks := [(name, settings) for settings in missing(module)]:  # the ended runs may call for more
        with tqdm(total=len(tasks), desc=name, unit="run") as bar:
            for row in pool.imap_unordered(measure, tasks):
                store.append(row | {"commit": commit})
                bar.update()
    order = {store.key(settings): place for place, settings in enumerate(module.runs())}
    rows = sorted(store.rows(), key=lambda row: order[store.key(row)])
    store.write(rows)
    store.describe(rows)


def missing(module):
    """Return the settings of the runs that have no row; rows of no run leave the table."""
    wanted = {module.TABLE.key(settings): settings for settings in module.runs()}
    kept = [row for row in module.TABLE.rows() if module.TABLE.key(row) in wanted]
    module.TABLE.write(kept)
    done = {module.TABLE.key(row) for row in kept}
    return [settings for key, settings in wanted.items() if key not in done]


def complete(name):
    """Return whether every run of an experiment has its row."""
    module = importlib.import_module(f"experiments.{name}")
    return {*map(module.TABLE.key, module.TABLE.rows())} == {*map(module.TABLE.key, module.runs())}


def returning(module):
    """Return the rows whose numbers another processor can be expected to find."""
    rows = module.TABLE.rows()
    if not getattr(module, "SENSITIVE", False):
        return rows
    return [row for row in rows if nudged.settled(row["network"], row["seed"])]


def check(names, pool, choose):
    """Run rows of experiments again, and say of each whether its numbers return.

    Each experiment states in ``MARGINS`` how far a number may be off, in the words of ``math.isclose``:
    a training amplifies the rounding of another processor, and a network that just learns its task may
    there have learned it not yet. Where the numbers are ``SENSITIVE``, networks whose training does not
    survive a nudge of its start are left out.

    Parameters
    ----------
    names : list of str
    pool : multiprocessing.Pool
    choose : callable
        ``choose(rows)`` returns those of a table that are run again.

    Returns
    -------
    bool
    """
    stored = [
        (name, module, row)
        for name in names
        for module in [importlib.import_module(f"experiments.{name}")]
        for row in choose(returning(module))
    ]
    tasks = [(name, {key: row[key] for key in module.TABLE.settings}) for name, module, row in stored]
    good = True
    for (name, module, row), new in zip(stored, pool.imap(measure, tasks), strict=True):
        off = [
            f"{column} {new[column]} instead of {row[column]}"
            for column, margin in module.MARGINS.items()
            if not math.isclose(new[column], row[column], **margin)
        ]
        equal = all(new[column] == row[column] for column in module.MARGINS)
        setting = ", ".join(f"{key} {row[key]}" for key in module.TABLE.settings)
        print(f"{name}: {setting}: {'; '.join(off) or ('equal' if equal else 'close')}", flush=True)
        good &= not off
    return good
