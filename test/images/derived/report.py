#!/usr/bin/env python3
"""Prints the sum of data/numbers.csv as JSON: something to run in the built image."""

import csv
import json
import pathlib

here = pathlib.Path(__file__).parent

with open(here / "data" / "numbers.csv", newline="") as file:
    rows = list(csv.DictReader(file))

print(
    json.dumps(
        {
            "greeting": (here / "greeting").read_text().strip(),
            "rows": len(rows),
            "sum": sum(int(row["value"]) for row in rows),
        }
    )
)
