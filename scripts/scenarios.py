#!/usr/bin/env python3
"""Runs scenario files (tests/scenarios/README.md) against a door over real HTTP.

    scripts/scenarios.py --base http://127.0.0.1:8080 FILE...
    scripts/scenarios.py --door 'target/demo/host {folder}/janua.toml {port} :{system}' FILE_OR_FOLDER...

With --http2 the requests go over HTTP/2 with prior knowledge; steps that HTTP/2 cannot say (`raw`, Connection, two Hosts) are
left out. With --door the command is started anew for each file, on a folder made ready for it, and stopped by its process id. It must
listen on {port} of 127.0.0.1 in the foreground, and its log must hold no secret. {system} is the name of the file's folder. Python 3.11, standard library only.
"""

import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib

from scenario_wire import Answer, Wrong, exchange, exchange2, http1_only, request_bytes

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCENARIOS = ROOT / "tests" / "scenarios"
LONGEST_WAIT = 3

FILE_KEYS = {"about", "config", "let", "secrets", "scenario"}
SCENARIO_KEYS = {"name", "let", "step"}
STEP_KEYS = {
    "does", "send", "headers", "body", "body_file", "latin1", "raw", "client", "wait", "restart", "times", "status", "allow",
    "answer", "without", "text", "json", "lacks", "reason", "capture", "differ",
}
CLASSES = {
    "HEX": "[0-9A-F]", "hex": "[0-9a-f]", "low5": "[a-z0-5]", "url64": "[A-Za-z0-9_-]", "digits": "[0-9]",
    "time": "[0-9TZ:.+-]", "any": r"[\s\S]",
}
PLACEHOLDER = re.compile(r"\{\{(\w+)(?::(\d+))?\}\}")
NOBODY = {"user": "", "id": "", "roles": [], "tenant": "", "session": ""}


# ---------------------------------------------------------------- the files


def only(table, known, where):
    """Refuses keys that nobody would read."""
    unknown = set(table) - known
    if unknown:
        raise SystemExit(f"{where}: unknown key {', '.join(sorted(unknown))}")


def load(path):
    """Reads and checks one scenario file."""
    with open(path, "rb") as file:
        data = tomllib.load(file)
    only(data, FILE_KEYS, path)
    for scenario in data["scenario"]:
        only(scenario, SCENARIO_KEYS, path)
        for step in scenario["step"]:
            only(step, STEP_KEYS, f"{path}: {step.get('does')}")
            if "does" not in step or ("send" in step) == ("raw" in step):
                raise SystemExit(f"{path}: a step needs `does`, and `send` or `raw`: {step}")
            if isinstance(step.get("allow"), str) and step["allow"] != "nobody":
                raise SystemExit(f"{path}: {step['does']}: `allow` is \"nobody\" or a table")
            if not any(key in step for key in ("status", "allow")):
                raise SystemExit(f"{path}: {step['does']}: neither `status` nor `allow`")
    return data


def variables(*tables):
    """The variables of `let` tables, later ones winning."""
    found = {}
    for table in tables:
        for name, value in (table or {}).items():
            found[name] = value if isinstance(value, str) else value["repeat"] * value["times"]
    return found


def fill(value, known):
    """Puts variables into a text, or into every text of a list or table."""
    if isinstance(value, list):
        return [fill(item, known) for item in value]
    if isinstance(value, dict):
        return {key: fill(item, known) for key, item in value.items()}
    if not isinstance(value, str):
        return value

    def one(match):
        name, _, offset = match.group(1).partition(":")
        if name == "iso":
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + int(offset)))
        if name == "ms":
            return str(int((time.time() + int(offset)) * 1000))
        if name not in known:
            raise Wrong(f"no variable {name}: an earlier step did not capture it")
        return known[name]

    return re.sub(r"\$\{([^}]+)\}", one, value)


def fits(pattern, text):
    """Whether a text is what a pattern says."""
    regex, last = "", 0
    for match in PLACEHOLDER.finditer(pattern):
        regex += re.escape(pattern[last : match.start()]) + CLASSES[match.group(1)]
        regex += f"{{{match.group(2)}}}" if match.group(2) else "+"
        last = match.end()
    return re.fullmatch(regex + re.escape(pattern[last:]), text) is not None


def same(pattern, value, at=""):
    """Compares a JSON value with its pattern; raises at the first difference."""
    if pattern == "{{anything}}":
        return
    if isinstance(pattern, str) and isinstance(value, str):
        if not fits(pattern, value):
            raise Wrong(f"json {at or '/'}: {value!r} is not {pattern!r}")
    elif isinstance(pattern, dict) and isinstance(value, dict):
        if set(pattern) != set(value):
            raise Wrong(f"json {at or '/'}: members {sorted(value)}, expected {sorted(pattern)}")
        for key, item in pattern.items():
            same(item, value[key], f"{at}/{key}")
    elif isinstance(pattern, list) and isinstance(value, list):
        if len(pattern) != len(value):
            raise Wrong(f"json {at or '/'}: {len(value)} items, expected {len(pattern)}")
        for number, item in enumerate(pattern):
            same(item, value[number], f"{at}/{number}")
    elif pattern != value or isinstance(pattern, bool) != isinstance(value, bool):
        raise Wrong(f"json {at or '/'}: {value!r} is not {pattern!r}")


# ---------------------------------------------------------------- a step


def pick(answer, source):
    """One captured value."""
    kind, _, name = source.partition(":")
    if kind == "cookie":
        for value in answer.all("Set-Cookie"):
            key, _, rest = value.partition("=")
            if key == name:
                return rest.split(";")[0]
    elif kind == "header":
        for value in answer.all(name):
            return value
    elif kind == "json":
        value = answer.json()
        for part in name.split("/")[1:]:
            try:
                value = value[int(part)] if isinstance(value, list) else value[part]
            except (LookupError, ValueError, TypeError) as error:
                raise Wrong(f"nothing at {source} in {answer.text()[:300]}") from error
        return value if isinstance(value, str) else json.dumps(value)
    raise Wrong(f"nothing at {source}; headers {answer.headers}")


def check(step, answer):
    """Compares an answer with what the step expects."""
    allowed = step.get("status", 200)
    if answer.status not in (allowed if isinstance(allowed, list) else [allowed]):
        raise Wrong(f"status {answer.status}, expected {allowed}; {answer.text()[:400]}")
    check_upstream(step, answer)
    for line in step.get("answer", []):
        name, _, pattern = line.partition(":")
        values = answer.all(name)
        if not any(fits(pattern.strip(), value) for value in values):
            raise Wrong(f"{name}: {values}, expected {pattern.strip()}")
    for name in step.get("without", []):
        if answer.all(name):
            raise Wrong(f"{name} came: {answer.all(name)}")
    if "text" in step and not fits(step["text"], answer.text()):
        raise Wrong(f"body {answer.text()[:600]!r}\n        expected {step['text']!r}")
    if "json" in step:
        same(json.loads(step["json"]), answer.json())
    whole = "\n".join(f"{k}: {v}" for k, v in answer.headers) + "\n" + answer.text()
    for text in step.get("lacks", []):
        if text in whole:
            raise Wrong(f"the answer holds {text[:60]!r}")


def check_upstream(step, answer):
    """Whether the request reached the upstream exactly when it should, and what it was told."""
    told = answer.told()
    if "allow" not in step:
        if told is not None:
            raise Wrong(f"it reached the upstream, as {told}")
        return
    if told is None and "status" in step and answer.status != 200:
        return  # a step that leaves it open: refused, or let in as said
    if told is None:
        raise Wrong(f"it did not reach the upstream: {answer.text()[:300]!r}")
    expected = NOBODY if step["allow"] == "nobody" else step["allow"]
    for key, value in expected.items():
        same(value, told.get(key), f"/{key}")


def ask(step, door, folder):
    """Sends a step's request the way this door is spoken to."""
    if door.http2:
        return exchange2(door.address, step, folder, door.host)
    data = request_bytes(step, folder, door.host)
    return Answer(exchange(door.address, data, step.get("client"), "raw" in step), data.startswith(b"HEAD "))


def do(step, door, known, folder):
    """One step: send, compare, capture."""
    if door.http2 and http1_only(step):
        return
    if step.get("restart"):
        door.restart()
    for _ in range(step.get("times", 1)):
        time.sleep(step.get("wait", 0))
        step = fill(step, known)
        answer = ask(step, door, folder)
        check(step, answer)
    for name, source in step.get("capture", {}).items():
        known[name] = pick(answer, source)
        if source.startswith("cookie:") or source.endswith(("/Value", "/Authentication")):
            door.secrets.add(known[name])
    if "differ" in step:
        first, second = (known[name] for name in step["differ"])
        if first == second:
            raise Wrong(f"{step['differ']} are equal")


# ---------------------------------------------------------------- doors


class Running:
    """A door that somebody else started."""

    http2 = False

    def __init__(self, base):
        match = re.fullmatch(r"http://([^:/]+):(\d+)/?", base)
        if not match:
            raise SystemExit(f"--base {base}: write http://HOST:PORT")
        self.address = (match.group(1), int(match.group(2)))
        self.host = f"{match.group(1)}:{match.group(2)}"
        self.secrets = set()

    def restart(self):
        raise Wrong("this door was started by somebody else and cannot be restarted")

    def close(self):
        """Nothing was started."""


class Started(Running):
    """A door started for one file, on a folder of its own."""

    def __init__(self, command, janua, config, system):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        super().__init__(f"http://127.0.0.1:{port}")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="janua-scenario-"))
        for source, name in ((f"{config}.toml", "janua.toml"), ("users.toml", "users.toml")):
            shutil.copy(SCENARIOS / "config" / source, self.folder / name)
            os.chmod(self.folder / name, 0o600)
        subprocess.run([janua, "keyring", "new", str(self.folder / "keyring.toml")], check=True, stdout=subprocess.DEVNULL)
        self.command = [part.format(folder=self.folder, port=port, system=system) for part in shlex.split(command)]
        self.log = open(self.folder / "log", "wb")
        self.process = None
        self.start()

    def start(self):
        """Starts the process and waits until it listens."""
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        for _ in range(600):
            if self.process.poll() is not None:
                raise SystemExit(f"the door did not start: {' '.join(self.command)}\n{self.read_log()}")
            try:
                socket.create_connection(self.address, 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the door does not listen")

    def read_log(self):
        """What the door has written so far."""
        return (self.folder / "log").read_text("utf-8", "replace")

    def stop(self):
        """Stops the process by its id; one that died before is a failure."""
        died = self.process.poll()
        if died is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if died is not None:
            raise Wrong(f"the door ended by itself with {died}:\n{self.read_log()[-2000:]}")

    def restart(self):
        """Another process in the same place, with the same files."""
        self.stop()
        self.start()

    def close(self):
        """Stops, looks for secrets in the log, clears up."""
        try:
            self.stop()
            log = self.read_log()
            for secret in sorted(self.secrets):
                if len(secret) >= 8 and secret in log:
                    raise Wrong(f"the door's log holds {secret[:40]!r}")
        finally:
            self.log.close()
            shutil.rmtree(self.folder, ignore_errors=True)


# ---------------------------------------------------------------- the run


def needs_another_clock(scenario):
    """Whether more time passes than anybody wants to wait."""
    return any(step.get("wait", 0) > LONGEST_WAIT for step in scenario["step"])


def run_file(path, open_door, verbose):
    """Runs one file; returns the numbers of passed, failed and left-out scenarios."""
    data = load(path)
    passed = failed = skipped = 0
    door = open_door(data["config"], path.parent.name)
    door.secrets.update(data.get("secrets", []))
    try:
        for scenario in data["scenario"]:
            if needs_another_clock(scenario):
                skipped += 1
                continue
            known = {**variables(data.get("let"), scenario.get("let")), "host": door.host}
            step = {}
            try:
                for step in scenario["step"]:
                    do(step, door, known, path.parent)
                passed += 1
                if verbose:
                    print(f"  ok    {scenario['name']}")
            except Wrong as wrong:
                failed += 1
                print(f"  FAIL  {scenario['name']}\n        at: {step.get('does')}\n        {wrong}")
    finally:
        try:
            door.close()
        except Wrong as wrong:
            failed += 1
            print(f"  FAIL  {wrong}")
    print(f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}: {passed} ok, {failed} failed, {skipped} need a clock that can be moved")
    return passed, failed, skipped


def files(places):
    """Every scenario file of the places named."""
    for place in places or [SCENARIOS]:
        path = pathlib.Path(place).resolve()
        if path.is_dir():
            yield from (f for f in sorted(path.rglob("*.toml")) if f.parent.name != "config")
        else:
            yield path


def main():
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = options.add_mutually_exclusive_group(required=True)
    kind.add_argument("--base", help="a door that runs already: http://HOST:PORT")
    kind.add_argument("--door", help="how to start one: a command with {folder} and {port}")
    kind.add_argument("--check", action="store_true", help="only read the files")
    options.add_argument("--janua", default=str(ROOT / "target" / "release" / "janua"), help="the administrator's command")
    options.add_argument("--http2", action="store_true", help="speak HTTP/2 with prior knowledge")
    options.add_argument("--verbose", action="store_true", help="name every scenario")
    options.add_argument("place", nargs="*", help="files or folders; all scenarios when none is named")
    given = options.parse_args()
    found = list(files(given.place))
    if not found:
        raise SystemExit("no scenario file found")
    if given.check:
        print(f"{sum(len(load(f)['scenario']) for f in found)} scenarios in {len(found)} files are well-formed")
        return 0

    Running.http2 = given.http2

    def open_door(config, system):
        return Running(given.base) if given.base else Started(given.door, given.janua, config, system)

    totals = [sum(numbers) for numbers in zip(*(run_file(f, open_door, given.verbose) for f in found))]
    print(f"scenarios: {totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 1 if totals[1] or not totals[0] else 0


if __name__ == "__main__":
    sys.exit(main())
