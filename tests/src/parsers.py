"""Reads metrics from standard input as the Python client of Prometheus does, and prints their families as JSON.

usage: parsers.py classic|openmetrics
"""

import json
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

PARSERS = {"classic": parser.text_string_to_metric_families, "openmetrics": openmetrics.text_string_to_metric_families}


def series(sample):
    labels = ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(sample.labels.items()))
    return f"{sample.name}{{{labels}}}"


def described(family):
    samples = {series(sample): sample.value for sample in family.samples}
    if len(samples) != len(family.samples):
        raise ValueError(f"a series comes twice in {family.name}")
    return {"name": family.name, "kind": family.type, "help": family.documentation, "samples": samples}


sys.stdin.reconfigure(encoding="utf-8", newline="")
print(json.dumps([described(family) for family in PARSERS[sys.argv[1]](sys.stdin.read())]))
