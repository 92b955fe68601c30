#!/usr/bin/env python3
"""Runs glidepath and its peers in turn on one log and writes the medians as a Markdown table.

    compare.py LOG.jsonl --glidepath PATH --threads 4 --repeats 3 --out results.md
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

PEERS = pathlib.Path(__file__).parent / "peers"
sys.path.insert(0, str(PEERS))


def run(*command):
    """Runs a command; returns its wall seconds and its standard output."""
    begin = time.perf_counter()
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE)
    return time.perf_counter() - begin, done.stdout.decode()


def duckdb_file(log, threads, folder):
    """Seconds of DuckDB importing the log into a new database file, checkpoint included."""
    import duckdb
    from read_peers import COLUMNS

    path = os.path.join(folder, "log.duckdb")
    begin = time.perf_counter()
    connection = duckdb.connect(path, config={"threads": threads})
    connection.execute(
        f"CREATE TABLE log AS SELECT * FROM"
        f" read_json('{log}', format='newline_delimited', columns={COLUMNS!r})"
    )
    connection.close()
    return time.perf_counter() - begin


def one_round(log, glidepath, threads):
    """One measurement of everything; alternating rounds share whatever else the machine does."""
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        seconds["ingest", "glidepath"] = run(
            glidepath, "ingest", log, "-w", place / "w", "--threads", threads, "--json")[0]
        seconds["ingest", "DuckDB"] = duckdb_file(log, threads, folder)
        model = place / "m.glide"
        _, text = run(
            glidepath, "fit", "--log", log, "--out", model, "--threads", threads, "--json")
        fitted = json.loads(text)
        seconds["fit", "glidepath"] = fitted["fit_seconds"]
        wall, _ = run(
            glidepath, "predict", "--model", model, "--log", log, "--out", place / "p.jsonl",
            "--threads", threads, "--json")
        # The same reading as in `fit`; what is left is replay, prediction and writing.
        seconds["predict a log", "glidepath"] = max(0.0, wall - fitted["read_seconds"])
        for library, name in (("xgboost", "XGBoost"), ("lightgbm", "LightGBM")):
            _, text = run(
                sys.executable, PEERS / "fit_peers.py", log, "--library", library, "--threads",
                threads)
            peer = json.loads(text)
            seconds["fit", name] = peer["fit_s"]
            seconds["predict a log", name] = peer["predict_ns_per_row"] * peer["rows"] / 1e9
    return seconds


def processor():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor()


def table(rounds, log, threads, rows):
    """The medians as Markdown, each peer with its time over glidepath's."""
    medians = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    yield f"Machine: {processor()}, {os.cpu_count()} cores; {threads} threads each."
    yield ""
    yield (
        f"Log: {rows:,} requests, {os.path.getsize(log) / 1e6:,.0f} MB;"
        f" medians of {len(rounds)} alternating rounds. Command: `make bench`."
    )
    yield ""
    yield "| task | program | seconds | requests/s | times glidepath's seconds |"
    yield "|---|---|---:|---:|---:|"
    for (task, name), taken in medians.items():
        own = medians[task, "glidepath"]
        ratio = taken / own if own > 0 else float("nan")
        rate = rows / taken if taken > 0 else float("nan")
        yield f"| {task} | {name} | {taken:.2f} | {rate:,.0f} | {ratio:.2f} |"
    yield ""
    yield (
        "Fitting is both targets. For glidepath it is all heads, groups and levels, calibrating the"
        " engines, replaying every request and writing the file; heads and groups of more than"
        " 250,000 requests come from every so many-th of them. For the peers it is one p90 model a"
        " target from ready features. Neither includes reading the log."
        " Predicting includes the replay and writing for glidepath, and is one level from ready"
        " features for the peers. The peers' threads wait for one another: beside other work they"
        " slow down many times over, so believe the ratios of an idle machine only."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log")
    parser.add_argument("--glidepath", required=True)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    with open(arguments.log, "rb") as file:
        rows = sum(1 for _ in file)
    rounds = []
    for _ in range(arguments.repeats):
        rounds.append(one_round(arguments.log, arguments.glidepath, arguments.threads))
    text = "\n".join(table(rounds, arguments.log, arguments.threads, rows)) + "\n"
    print(text, end="")
    with open(arguments.out, "w") as file:
        file.write("# Benchmarks\n\n" + text)


if __name__ == "__main__":
    main()
