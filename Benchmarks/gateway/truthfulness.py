"""Predicted against realised gain, from what truthfulness.sh left in a folder.

    truthfulness.py FOLDER BASELINE SECONDS
"""
import glob
import json
import random
import sys

BLOCK_SECONDS = 30
# The tuned file is taken over, caches fill: not counted, at either gateway.
SKIPPED_SECONDS = 30
ROUNDS = 400


def requests(folder, seed, seconds):
    """(block, TTFT, TPOT, E2E), ms, of the answered requests of one play; failed ones counted."""
    began = int(open(f"{folder}/began-{seed}").read()) * 1e-9
    rows, failed = [], 0
    for path in glob.glob(f"{folder}/log/*.jsonl"):
        for line in open(path):
            row = json.loads(line)
            time = row["received_unix_ns"] * 1e-9 - began
            if not SKIPPED_SECONDS <= time < seconds:
                continue
            if row["status"] != 200 or row.get("ttft_ms") is None:
                failed += 1
                continue
            answer = row.get("output_tokens") or 0
            tpot = (row["e2e_ms"] - row["ttft_ms"]) / (answer - 1) if answer > 1 else None
            rows.append((int(time // BLOCK_SECONDS), row["ttft_ms"], tpot, row["e2e_ms"]))
    return rows, failed


def quantile(values, level):
    values = sorted(values)
    return values[min(len(values) - 1, int(level * len(values)))]


METRICS = {
    "ttft-p50": lambda rows: quantile([r[1] for r in rows], 0.5),
    "ttft-p90": lambda rows: quantile([r[1] for r in rows], 0.9),
    "ttft-p99": lambda rows: quantile([r[1] for r in rows], 0.99),
    "tpot-p90": lambda rows: quantile([r[2] for r in rows if r[2] is not None], 0.9),
    "e2e-mean": lambda rows: sum(r[3] for r in rows) / len(rows),
}


def realised(stock, tuned, metric):
    """1 - tuned / stock, with a 95 % interval from a paired bootstrap over blocks of time."""
    value = METRICS[metric]
    by_block = [{}, {}]
    for index, rows in enumerate((stock, tuned)):
        for row in rows:
            by_block[index].setdefault(row[0], []).append(row)
    blocks = sorted(set(by_block[0]) & set(by_block[1]))
    gains = []
    source = random.Random(1)
    for _ in range(ROUNDS):
        drawn = [source.choice(blocks) for _ in blocks]
        a, b = ([r for block in drawn for r in side[block]] for side in by_block)
        gains.append(1 - value(b) / value(a))
    gains.sort()
    return (
        value(stock), value(tuned), 1 - value(tuned) / value(stock),
        gains[int(0.025 * ROUNDS)], gains[int(0.975 * ROUNDS)],
    )


def main():
    folder, baseline, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    report = json.load(open(f"{folder}/tuning/report.json"))
    rival = next(r for r in report["rivals"] if r["name"] == baseline)
    predicted = {c["metric"]: c for c in rival["comparisons"]}
    print("| seed | metric | predicted, ms | realised, ms | predicted gain | realised gain | difference |")
    print("|---|---|---|---|---|---|---|")
    for seed in sorted({path.rsplit("-", 1)[1] for path in glob.glob(f"{folder}/tuned/began-*")}):
        label = "the same" if seed == "1" else "another"
        sides = [requests(f"{folder}/{name}", seed, seconds) for name in ("stock", "tuned")]
        for metric in METRICS:
            if metric not in predicted:
                continue
            said = predicted[metric]
            a, b, gain, low, high = realised(sides[0][0], sides[1][0], metric)
            print(
                f"| {label} | {metric} | {said['baseline']:.1f} → {said['tuned']:.1f} "
                f"| {a:.1f} → {b:.1f} "
                f"| {100 * said['gain']:.1f} % ({100 * said['lower']:.1f} to {100 * said['upper']:.1f}) "
                f"| {100 * gain:.1f} % ({100 * low:.1f} to {100 * high:.1f}) "
                f"| {100 * (gain - said['gain']):+.1f} points |")
        counts = [f"{len(rows)} requests, {failed} failed" for rows, failed in sides]
        print(f"\n{label}: stock {counts[0]}; tuned {counts[1]}.\n")
    print("Proof of the simulator: " + ("passed" if report["proof"]["passes"] else "failed") + "; "
          + ", ".join(f"{c['metric']} {c['statistic']} {100 * (c['simulated'] / c['logged'] - 1):+.1f} %"
                      for c in report["proof"]["comparisons"] if c.get("bound") and c["logged"]))
    print("Parameters: " + ", ".join(f"{p['name']} {p['value']:.3g}" for p in report["parameters"]))


main()
