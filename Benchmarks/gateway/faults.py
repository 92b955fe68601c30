"""What faults.sh left in a folder, as a table.

    faults.py FOLDER FAULT...
"""
import glob
import json
import sys

BEGIN, END = 25.0, 50.0
BLOCK = 2.5


def outcomes(folder):
    return [json.loads(line) for line in open(f"{folder}/outcomes.jsonl")]


def quantile(values, level):
    values = sorted(values)
    return values[min(len(values) - 1, int(level * len(values)))] if values else float("nan")


def ttft(rows, start, end, level):
    return quantile(
        [r["ttft_ms"] for r in rows if start <= r["due_s"] < end and r["status"] == 200], level)


def picks(folder, start, end):
    """How many requests the faulty endpoint got between two times of the load, s."""
    began = int(open(f"{folder}/began").read()) * 1e-9 + 0.1
    count = 0
    for path in glob.glob(f"{folder}/log/*.jsonl"):
        for line in open(path):
            row = json.loads(line)
            if row["endpoint"] == "endpoint-0":
                count += start <= row["dispatched_unix_ns"] * 1e-9 - began < end
    return count


def settled(rows, reference):
    """Seconds from the fault's begin until P90 TTFT stays within twice that of the run without."""
    usual = ttft(reference, 0, 75, 0.9)
    last = BEGIN
    for index in range(int(BEGIN / BLOCK), int(75 / BLOCK)):
        start, end = index * BLOCK, (index + 1) * BLOCK
        # The same requests arrived then: a burst is slower with all in order, too.
        if ttft(rows, start, end, 0.9) > 2 * max(usual, ttft(reference, start, end, 0.9)):
            last = end
    return last - BEGIN


def main():
    folder, faults = sys.argv[1], sys.argv[2:]
    reference = outcomes(f"{folder}/{faults[0]}")
    print("| fault | requests | failed | of them sent before the fault "
          "| last failing one sent after it, s | to the faulty endpoint meanwhile "
          "| P99 TTFT before, ms | during | after | P90 within twice the usual after, s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for fault in faults:
        rows = outcomes(f"{folder}/{fault}")
        failed = [r for r in rows if r["status"] != 200]
        earlier = sum(r["due_s"] < BEGIN for r in failed)
        last = max((r["due_s"] - BEGIN for r in failed if r["due_s"] >= BEGIN), default=0)
        print(f"| {fault} | {len(rows)} | {len(failed)} ({100 * len(failed) / len(rows):.2f} %) "
              f"| {earlier} | {last:.1f} | {picks(f'{folder}/{fault}', BEGIN, END)} "
              f"| {ttft(rows, 0, BEGIN, 0.99):.0f} | {ttft(rows, BEGIN, END, 0.99):.0f} "
              f"| {ttft(rows, END, 75, 0.99):.0f} | {settled(rows, reference):.1f} |")


main()
