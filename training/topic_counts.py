"""How often is each topic asked about: lately, after another topic, by those who share something? Plain arrays.

All shares lean on a broader one where they are thin, so that a handful of contacts proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.evaluation import Floats

Codes = NDArray[np.int64]
# Days within which contacts are counted, from long to short; each leans on the one before with so many contacts.
WINDOWS = (28, 14, 7, 3, 1)
PRIOR_CONTACTS = 10.0
# The same by number: so many of the newest contacts, whether they came within an hour or, over a holiday, in a week.
NEWEST = (1_000, 300, 100, 40)
# One observation's worth of popularity is mixed into transitions so often; into what peers ask, so often.
PRIOR_TRANSITIONS, PRIOR_PEERS = 8.0, 20.0


def popularity(topic: Codes, age: Floats, k: int) -> dict[int, Floats]:
    """Shares of the topics in all contacts (window 0) and within each window of days."""
    found = {0: (np.bincount(topic, minlength=k) + 1.0) / (len(topic) + k)}
    broader = found[0]
    for window in WINDOWS:
        recent = topic[age <= window]
        broader = (np.bincount(recent, minlength=k) + PRIOR_CONTACTS * broader) / (len(recent) + PRIOR_CONTACTS)
        found[window] = broader
    return found


def newest_popularity(topic: Codes, age: Floats, person: Codes, k: int) -> dict[int, Floats]:
    """Shares of the topics in so many of the newest contacts. Each person counts once, however often they called."""
    newest = np.argsort(age, kind="stable")
    found, broader = {}, (np.bincount(topic, minlength=k) + 1.0) / (len(topic) + k)
    for number in NEWEST:
        cells = np.unique(person[newest[:number]] * k + topic[newest[:number]])
        people, theirs = np.unique(cells // k, return_inverse=True)
        weights = 1.0 / np.bincount(theirs)
        counts = np.bincount(cells % k, weights=weights[theirs], minlength=k)
        broader = (counts + PRIOR_CONTACTS * broader) / (len(people) + PRIOR_CONTACTS)
        found[number] = broader
    return found


def leaning(values: Codes, topics: Codes, sizes: tuple[int, int], prior: Floats, weight: float) -> Floats:
    """Row v: the shares of the topics where the value was v; a value nobody had has the prior's."""
    counts = np.bincount(values * sizes[1] + topics, minlength=sizes[0] * sizes[1]).reshape(sizes)
    shares = counts + weight * prior
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float64)


def transitions(
    same: NDArray[np.bool_], values: Codes, topic: Codes, sizes: tuple[int, int], popular: Floats
) -> Floats:
    """Row v: what the next contact is about after one with value v. `same`: the next row is of the same customer."""
    weight = PRIOR_TRANSITIONS if sizes[0] == sizes[1] else PRIOR_PEERS
    return leaning(values[:-1][same], topic[1:][same], sizes, popular, weight)


def faded_mean(owner: Codes, values: Codes, weights: Floats, shares: Floats, prior: Floats, owners: int) -> Floats:
    """Owners × topics: the mean of the shares of their contacts' values, weighed, half a contact's worth of prior."""
    import scipy.sparse

    memory = scipy.sparse.csr_array((weights, (owner, values)), shape=(owners, len(shares)))
    total = np.bincount(owner, weights=weights, minlength=owners)[:, None]
    return np.asarray((memory @ shares + 0.5 * prior) / (total + 0.5), dtype=np.float64)


def latest_rows(owner: Codes, owners: int) -> Codes:
    """The last row of each owner, -1 for none; rows of one owner stand in the order of time."""
    found = np.full(owners, -1, dtype=np.int64)
    np.maximum.at(found, owner[owner >= 0], np.flatnonzero(owner >= 0))
    return found


def peer_signals(
    owner: Codes,
    topic: Codes,
    age: Floats,
    values: Codes,
    same: NDArray[np.bool_],
    popular: dict[int, Floats],
    owners: int,
) -> list[Floats]:
    """What sharing the value of their last contact says of each topic, as log-lifts over everybody.

    What those with the same value ask within 3, 7 and 28 days; what follows that value; what follows the values of
    the customer's whole history. Zero for who never contacted us.
    """
    sizes = (int(values.max(initial=0)) + 1, len(popular[0]))
    last = latest_rows(owner, owners)
    known = last >= 0
    mine = owner >= 0

    def lift(shares: Floats, base: Floats) -> Floats:
        found = np.zeros((owners, sizes[1]))
        found[known] = np.log(shares[values[last[known]]] / base)
        return found

    found = []
    for window in (3, 7, 28):
        recent = age <= window
        peers = leaning(values[recent], topic[recent], sizes, popular[window], PRIOR_PEERS)
        found.append(lift(peers, popular[window]))
    follows = leaning(values[:-1][same], topic[1:][same], sizes, popular[28], PRIOR_PEERS)
    found.append(lift(follows, popular[28]))
    history = faded_mean(owner[mine], values[mine], np.exp2(-age[mine] / 60), follows, popular[28], owners)
    found.append(np.log(history / popular[28]))
    return found


def codes_of(columns: Sequence[str | None]) -> Codes:
    """Whole numbers for words, by spelling; no word is a word of its own."""
    _, found = np.unique(np.array(["\0" if one is None else one for one in columns], dtype=object), return_inverse=True)
    return np.asarray(found, dtype=np.int64)
