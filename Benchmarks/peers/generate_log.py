#!/usr/bin/env python3
"""Makes a long request log out of a short one, for benchmarks.

Every copy of the source gets request ids of its own and is moved behind the copy before it, so
that the result is one log in the order of arrival.

    generate_log.py SOURCE.jsonl OUT.jsonl --rows 1000000
"""

import argparse
import re

RECEIVED = re.compile(rb'"received_unix_ns":(\d+)')
DISPATCHED = re.compile(rb'"dispatched_unix_ns":(\d+)')
REQUEST_ID = re.compile(rb'"request_id":"')
PAUSE_NS = 1_000_000_000


def copies(source, count):
    """Yields `count` lines: the source again and again, later each time."""
    lines = source.splitlines(keepends=True)
    times = [int(RECEIVED.search(line).group(1)) for line in lines]
    period = max(times) - min(times) + PAUSE_NS
    for index in range(count):
        copy, position = divmod(index, len(lines))
        shift = copy * period

        def moved(match, shift=shift):
            name = match.group(0).split(b":")[0]
            return name + b":" + str(int(match.group(1)) + shift).encode()

        line = RECEIVED.sub(moved, lines[position], count=1)
        line = DISPATCHED.sub(moved, line, count=1)
        yield REQUEST_ID.sub(b'"request_id":"c%d-' % copy, line, count=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="a native request log, uncompressed")
    parser.add_argument("out")
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with open(arguments.source, "rb") as file:
        source = file.read()
    with open(arguments.out, "wb") as out:
        out.writelines(copies(source, arguments.rows))


if __name__ == "__main__":
    main()
