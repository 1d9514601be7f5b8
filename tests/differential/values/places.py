"""Places that nohalt can probe, and how much of them one run of it can take."""

import json
import tempfile

import harness

MOST_EXPRESSIONS = 64  # of one message
MOST_TEXTS = 48  # of which this many fit one record
MOST_PROBES = 8  # at once, as the built-in policy has it
APART = 32  # bytes between places that are probed at once


class Place:
    """A line: its statements, and what nohalt knows of the variables at each."""

    def __init__(self, report):
        self.name = report["location"]
        sites = report.get("sites", [])
        refusals = [refusal for site in sites for refusal in site.get("refusals", [])]
        self.reasons = [refusal["reason"] for refusal in report.get("errors", []) + refusals]
        if self.reasons:
            return
        # What nohalt says of each variable, by statement.
        self.variables = {int(site["address"], 16):
                          {v["name"]: v for v in site.get("variables", [])} for site in sites}
        self.stops_threads = any("stop" in site for site in sites)
        # Whether GDB, which writes to the statement, writes to a page that nohalt replaced.
        self.has_page_replaced = not self.stops_threads and all(
            int(site["address"], 16) >> 12 == int(site["patched_address"], 16) >> 12
            for site in sites)
        self.expressions = []

    def is_captured(self, expression):
        """Whether nohalt says that it has the variable, at every copy of the line."""
        root = root_of(expression)
        return all(root in known and known[root]["state"] == "available"
                   for known in self.variables.values())

    def chunks(self):
        """The expressions, in portions that a message holds."""
        chunk, texts = [], 0
        for expression, kind in self.expressions:
            texts += "text" in kind
            if len(chunk) == MOST_EXPRESSIONS or texts > MOST_TEXTS:
                yield chunk
                chunk, texts = [], int("text" in kind)
            chunk.append(expression)
        if chunk:
            yield chunk


def root_of(expression):
    return expression.split("->")[0].split(".")[0].split("[")[0]


def plan(pid, *words):
    outcome = harness.run("plan", "-p", pid, *words, "--format", "json", seconds=120)
    if not outcome.out.strip():
        raise AssertionError(outcome)
    return [Place(report) for report in json.loads(outcome.out)["places"]]


def apart(places):
    """Sorts places into batches in which none is near another."""
    batches = []
    for place in places:
        near = {address + d for address in place.variables for d in range(-APART, APART)}
        for batch in batches:
            if len(batch) < MOST_PROBES and not any(near & set(other.variables) for other in batch):
                batch.append(place)
                break
        else:
            batches.append([place])
    return batches


def probe_file(asked):
    """For `-f`: at each place a probe that captures the expressions."""
    probes = [{"at": place.name, "allow-stop": "40ms", "message": " | ".join("{" + e + "}" for e in expressions) or "-"}
              for place, expressions in asked.items()]
    file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
    json.dump({"probes": probes}, file)  # which is YAML too
    file.flush()
    return file


def rounds_of(batch):
    """What is asked at each place in each round: {place: expressions}."""
    chunks = {place: list(place.chunks()) for place in batch}
    for i in range(max(map(len, chunks.values()), default=0)):
        yield {place: those[i] for place, those in chunks.items() if i < len(those)}
