"""Prints the results of run.sh as Markdown: medians over the repeats, and what the picker adds."""

import statistics
import sys


def rows(path, key_count):
    table = {}
    for line in open(path):
        fields = line.split()
        table.setdefault(tuple(fields[:key_count]), []).append([float(f) for f in fields[key_count:]])
    return {key: [statistics.median(column) for column in zip(*runs)] for key, runs in table.items()}


def milliseconds(microseconds):
    return f"{microseconds / 1000:.2f}"


results = rows(sys.argv[1], 2)
print("| connections | | requests/s | p50 ms | p99 ms | errors | Envoy µs/request | picker µs/request |")
print("|---|---|---|---|---|---|---|---|")
for count in sorted({int(key[1]) for key in results}):
    plain, picker = results["plain", str(count)], results["picker", str(count)]
    for name, row in (("Envoy alone", plain), ("with the picker", picker)):
        rate, p50, p99, errors, envoy_time, picker_time = row
        print(
            f"| {count} | {name} | {rate:.0f} | {milliseconds(p50)} | {milliseconds(p99)} "
            f"| {errors:.0f} | {envoy_time:.0f} | {picker_time:.0f} |"
        )
    print(
        f"| {count} | added | | {milliseconds(picker[1] - plain[1])} "
        f"| {milliseconds(picker[2] - plain[2])} | | {picker[4] - plain[4]:.0f} | |"
    )

streams = rows(sys.argv[2], 1)
print()
print("| 16 streams, an event every 5 ms | first event p50, p99 ms | later events' delay p50, p99 ms |")
print("|---|---|---|")
for name, key in (("Envoy alone", "plain"), ("with the picker", "picker")):
    values = [milliseconds(value) for value in streams[key,]]
    print(f"| {name} | {values[0]}, {values[1]} | {values[2]}, {values[3]} |")
