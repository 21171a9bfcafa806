"""Guesses of passwords: four workers on one shared store are one door to a guesser, and no more."""

import time
from concurrent.futures import ThreadPoolExecutor

from harness import wait_until
from promises import let_in, promise, refused, same
from test_proofs import basic
from test_shared import WORKERS, doors, four

OWNER, GUESSER = "127.0.0.2", "127.0.0.3"
FREE = 5
EACH = 10


def hashed(nginx):
    """How many pairs were hashed and found wrong, and how many refused without a look, by nginx's log."""
    log = nginx.log()
    return log.count(" wrong-password "), log.count(" throttled ")


def guesses(wire, name):
    """Wrong passwords at one worker, each another one."""
    for number in range(EACH):
        refused(wire.ask("GET", "/inside/x", basic(password=f"guess-{name}-{number}")))


def let_through(seconds):
    """How many guesses pass in so long a time: the free ones, then one after 1, 2, 4 … seconds, counted in whole ones."""
    count, delay = FREE, 1
    while seconds + 1 >= delay:
        count, seconds, delay = count + 1, seconds - delay, delay * 2
    return count


@promise("wrong passwords spread over four workers are one count: the limit is hashed, then the right one is refused, and the owner is let in",
         shared=False)
def spread():
    with four("guesses-spread") as nginx:
        with nginx.wire(OWNER) as wire:
            let_in(wire.ask("GET", "/inside/x", basic()), "Aladdin")  # this pair is known from now on
        wires, began = doors(nginx, GUESSER), time.monotonic()
        with ThreadPoolExecutor(WORKERS) as at_once:
            list(at_once.map(guesses, wires, range(WORKERS)))
        wrong, unseen = hashed(nginx)
        assert FREE <= wrong <= let_through(time.monotonic() - began), f"{wrong} of {WORKERS * EACH} guesses were hashed"
        same("refused without a look", unseen, WORKERS * EACH - wrong)
        for turn in range(400):  # until the delay is longer than what follows takes
            if hashed(nginx)[0] >= FREE + 3:
                break
            refused(wires[turn % WORKERS].ask("GET", "/inside/x", basic(password=f"on-{turn}")))
            time.sleep(0.1)
        wrong = hashed(nginx)[0]
        assert FREE + 3 <= wrong <= let_through(time.monotonic() - began), f"{wrong} guesses were hashed"
        for wire in wires:
            refused(wire.ask("GET", "/inside/x", basic()))  # right, and too early: at every worker
        known = doors(nginx, OWNER)
        for wire in known:
            let_in(wire.ask("GET", "/inside/x", basic()), "Aladdin")
        nginx.reload()
        with nginx.wire(GUESSER) as wire:
            before = hashed(nginx)[0]
            for number in range(EACH):
                refused(wire.ask("GET", "/inside/x", basic(password=f"later-{number}")))
            assert hashed(nginx)[0] <= before + 2, "a reload forgave what was counted"
        with nginx.wire(OWNER) as wire:
            let_in(wire.ask("GET", "/inside/x", basic()), "Aladdin")


@promise("a page of counts that cannot be had is told in the log; the limit holds in each worker", shared=False)
def no_page():
    with four("guesses-alone") as nginx:
        state = nginx.folder / "janua" / "state"
        wait_until("the page", lambda: list(state.glob("counts-*")))
        page = next(state.glob("counts-*"))
        page.unlink()
        page.mkdir()
        nginx.reload()
        wires = doors(nginx, GUESSER)
        with ThreadPoolExecutor(WORKERS) as at_once:
            list(at_once.map(guesses, wires, range(WORKERS)))
        wrong, _ = hashed(nginx)
        assert wrong <= WORKERS * (FREE + 3), f"{wrong} of {WORKERS * EACH} guesses were hashed"
        wait_until("a word on it", lambda: "counts-" in nginx.log() and "cannot be shared" in nginx.log())
        (nginx.folder / "error.log").write_text("")  # the alarm about it is an alert
