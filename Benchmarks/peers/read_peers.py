#!/usr/bin/env python3
"""Times DuckDB and polars reading a native request log: every field of it, into memory.

Both are given the schema, so that neither spends time on guessing it. DuckDB is timed twice:
into an in-memory table, and for one aggregate over every column (which stores nothing).

    read_peers.py LOG.jsonl --threads 4 --repeats 5
"""

import argparse
import json
import os
import statistics
import time

COLUMNS = {
    "request_id": "VARCHAR",
    "received_unix_ns": "BIGINT",
    "dispatched_unix_ns": "BIGINT",
    "gateway": "VARCHAR",
    "model": "VARCHAR",
    "endpoint": "VARCHAR",
    "accelerator": "VARCHAR",
    "policy": "VARCHAR",
    "stream": "BOOLEAN",
    "input_tokens": "BIGINT",
    "output_tokens": "BIGINT",
    "max_tokens": "BIGINT",
    "cached_tokens": "BIGINT",
    "prefix_match_tokens": "BIGINT",
    "waiting": "BIGINT",
    "running": "BIGINT",
    "kv_usage": "DOUBLE",
    "snapshot_age_ms": "DOUBLE",
    "status": "BIGINT",
    "prefix_block_tokens": "BIGINT",
    "prefix_blocks": "BIGINT[]",
    "ttft_ms": "DOUBLE",
    "e2e_ms": "DOUBLE",
}


def duckdb_table(path, threads):
    import duckdb

    connection = duckdb.connect(config={"threads": threads})
    source = f"read_json('{path}', format='newline_delimited', columns={COLUMNS!r})"
    begin = time.perf_counter()
    connection.execute(f"CREATE TABLE log AS SELECT * FROM {source}")
    seconds = time.perf_counter() - begin
    return seconds, connection.execute("SELECT count(*) FROM log").fetchone()[0]


def duckdb_aggregate(path, threads):
    import duckdb

    connection = duckdb.connect(config={"threads": threads})
    source = f"read_json('{path}', format='newline_delimited', columns={COLUMNS!r})"
    aggregates = ", ".join(
        f"sum(len({name}))" if type_ in ("VARCHAR", "BIGINT[]") else f"max({name})"
        for name, type_ in COLUMNS.items()
    )
    begin = time.perf_counter()
    row = connection.execute(f"SELECT count(*), {aggregates} FROM {source}").fetchone()
    return time.perf_counter() - begin, row[0]


def polars_scan(path, threads):
    import polars

    types = {
        "VARCHAR": polars.String,
        "BIGINT": polars.Int64,
        "DOUBLE": polars.Float64,
        "BOOLEAN": polars.Boolean,
        "BIGINT[]": polars.List(polars.Int64),
    }
    schema = {name: types[type_] for name, type_ in COLUMNS.items()}
    begin = time.perf_counter()
    frame = polars.scan_ndjson(path, schema=schema).collect()
    return time.perf_counter() - begin, frame.height


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = str(arguments.threads)
    size = os.path.getsize(arguments.log)
    for name, read in (
        ("duckdb table", duckdb_table),
        ("duckdb aggregate", duckdb_aggregate),
        ("polars scan_ndjson", polars_scan),
    ):
        seconds, rows = [], 0
        for _ in range(arguments.repeats):
            taken, rows = read(arguments.log, arguments.threads)
            seconds.append(taken)
        median = statistics.median(seconds)
        print(
            json.dumps(
                {
                    "reader": name,
                    "threads": arguments.threads,
                    "rows": rows,
                    "median_s": round(median, 3),
                    "rows_per_s": round(rows / median),
                    "gb_per_s": round(size / median / 1e9, 3),
                }
            )
        )


if __name__ == "__main__":
    main()
