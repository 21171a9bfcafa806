"""The list of what is promised: a test is a function under `@promise`.

Used by run.py and the tests. It must never hide one: what is registered is run.
"""

from dataclasses import dataclass
from typing import Callable

PROMISES = []


@dataclass
class Promise:
    """One promise and the function that shows it."""

    text: str
    function: Callable
    shared: bool
    unwatched: str
    module: str


def promise(text, shared=True, unwatched=""):
    """Registers a test. `shared`: it takes the nginx that all share; else it starts its own. `unwatched`: why valgrind is no good here."""

    def add(function):
        PROMISES.append(Promise(text, function, shared, unwatched, function.__module__))
        return function

    return add


def same(what, found, expected):
    """Compares, and says both."""
    assert found == expected, f"{what}: {found!r}, expected {expected!r}"


def refused(answer, status=401):
    """An answer that refuses, and did not come from the upstream."""
    assert answer.status == status, f"status {answer.status}, expected {status}: {answer}"
    assert answer.told() is None, f"it reached the upstream: {answer}"
    return answer


def let_in(answer, user, method=None):
    """The upstream's answer, told of the user (None: of nobody)."""
    assert answer.status == 200, f"status {answer.status}: {answer}"
    told = answer.told()
    assert told is not None, f"not from the upstream: {answer}"
    assert told.get("X-User") == user, f"told {told}, expected {user}"
    if method:
        same("method", answer.json()["method"], method)
    return answer
