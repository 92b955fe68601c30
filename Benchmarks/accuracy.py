#!/usr/bin/env python3
"""Scores `glidepath fit` and `predict` on request logs: fitted on the first 70 % by arrival, judged
on the last 30 %.

    accuracy.py LOG.jsonl[.zst] ... [--glidepath PATH] [--share 0.7] [--only-later]

TPOT is judged on answers of over 8 tokens. MAPE is that of the better of the mean and p50 heads;
`--only-later` predicts the judged part alone, so that the state starts cold.
"""

import argparse
import json
import os
import subprocess
import tempfile

HEADS = ["mean", "p50", "p90", "p95", "p99"]
LEVELS = [0.5, 0.9, 0.95, 0.99]


def lines(path):
    """The log's lines, decompressed."""
    if path.endswith(".zst"):
        data = subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout
    else:
        with open(path, "rb") as file:
            data = file.read()
    return data.decode().splitlines()


def metrics(actual, predicted):
    """MAPE, MAE, p90 pinball loss and coverages."""
    count = len(actual)
    mape = min(
        sum(abs(p[h] - y) / y for y, p in zip(actual, predicted)) / count for h in ("mean", "p50"))
    mae = sum(abs(p["p50"] - y) for y, p in zip(actual, predicted)) / count
    pinball = sum(
        max(0.9 * (y - p["p90"]), 0.1 * (p["p90"] - y)) for y, p in zip(actual, predicted)) / count
    coverage = [
        sum(y <= p[h] for y, p in zip(actual, predicted)) / count for h in HEADS[1:]]
    return mape, mae, pinball, coverage


def score(path, options):
    """Fits, predicts and prints one log's rows."""
    texts = lines(path)
    rows = [json.loads(text) for text in texts]
    order = sorted(range(len(rows)), key=lambda i: rows[i]["received_unix_ns"])
    cut = int(options.share * len(order))
    with tempfile.TemporaryDirectory() as folder:
        parts = {"early": order[:cut], "late": order[cut:]}
        files = {name: os.path.join(folder, name + ".jsonl") for name in parts}
        for name, indices in parts.items():
            with open(files[name], "w", encoding="utf-8") as file:
                file.writelines(texts[i] + "\n" for i in indices)
        model = os.path.join(folder, "m.glide")
        out = os.path.join(folder, "p.jsonl")
        tool = options.glidepath
        subprocess.run(
            [tool, "fit", "--log", files["early"], "--out", model, "--json"], check=True,
            capture_output=True)
        logs = [files["late"]] if options.only_later else [files["early"], files["late"]]
        subprocess.run(
            [tool, "predict", "--model", model, "--out", out, "--log", *logs], check=True,
            capture_output=True)
        with open(out, encoding="utf-8") as file:
            predictions = {p["request_id"]: p for p in map(json.loads, file)}
        size = os.path.getsize(model)
    judged = [rows[i] for i in order[cut:] if rows[i].get("status", 200) == 200]
    tpot = [
        (r, (r["e2e_ms"] - r["ttft_ms"]) / (r["output_tokens"] - 1)) for r in judged
        if r["output_tokens"] > 8]
    targets = {
        "TTFT": [(r, r["ttft_ms"]) for r in judged], "TPOT": [(r, y) for r, y in tpot if y > 0]}
    for name, pairs in targets.items():
        actual = [y for _, y in pairs]
        predicted = [predictions[r["request_id"]][name.lower() + "_ms"] for r, _ in pairs]
        mape, mae, pinball, coverage = metrics(actual, predicted)
        covered = " ".join(f"{share:.4f}" for share in coverage)
        print(
            f"{os.path.basename(path):28s} {name} n {len(actual):6d} MAPE {mape:.4f} "
            f"MAE {mae:.2f} p90-pinball {pinball:.4f} coverage {covered} model {size} B")


def main():
    """Parses the arguments and scores each log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="+")
    parser.add_argument("--glidepath", default=".build/release/glidepath")
    parser.add_argument("--share", type=float, default=0.7)
    parser.add_argument("--only-later", action="store_true")
    options = parser.parse_args()
    for path in options.logs:
        score(path, options)


if __name__ == "__main__":
    main()
