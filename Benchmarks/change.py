#!/usr/bin/env python3
"""Scores predictions where something changes between fit and use.

    change.py slowdown LOG...            every latency x 1.3 from a moment after the fit
    change.py middle LOG...              every latency x 1.3 from the middle of the fit's log on, or of
                                         one endpoint; `--moment` and `--endpoint` say when and whose
    change.py cold LOG --key accelerator --value h200 [--first]
                                         50 requests of a new type or endpoint, against 5,000
    change.py replicas LOG...            the same requests, seen by two gateways, each its half
    change.py chunks LOG...              a log with chunk times (`chunk_offsets_ms`), and without them

Fitted on the first 70 % by arrival, judged on the last 30 %; `--share` moves the cut. `cold` keeps
the newest requests of the new endpoints before the cut (with `--first` the oldest, when their
engines had nothing else to do) and deletes the others, which engines had computed all the same.
"""

import argparse
import json
import os
import random
import subprocess
import tempfile

from accuracy import lines, metrics


def load(path):
    """The log's requests, by arrival."""
    rows = [json.loads(text) for text in lines(path)]
    return sorted(rows, key=lambda row: row["received_unix_ns"])


def predict(fitted, replayed, tool):
    """Predictions by request for `replayed`, by a model of the rows `fitted`."""
    with tempfile.TemporaryDirectory() as folder:
        names = {}
        for name, rows in {"fit": fitted, "all": replayed}.items():
            names[name] = os.path.join(folder, name + ".jsonl")
            with open(names[name], "w", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
        model, out = os.path.join(folder, "m.glide"), os.path.join(folder, "p.jsonl")
        subprocess.run(
            [tool, "fit", "--log", names["fit"], "--out", model, "--json"], check=True,
            capture_output=True)
        subprocess.run(
            [tool, "predict", "--model", model, "--out", out, "--log", names["all"]], check=True,
            capture_output=True)
        with open(out, encoding="utf-8") as file:
            return {p["request_id"]: p for p in map(json.loads, file)}


def targets(rows, predictions):
    """Per target, the outcomes and predictions of the complete rows, in their order."""
    complete = [row for row in rows if row.get("status", 200) == 200 and "ttft_ms" in row]
    ttft = [(row["ttft_ms"], predictions[row["request_id"]]["ttft_ms"]) for row in complete]
    tpot = [
        ((row["e2e_ms"] - row["ttft_ms"]) / (row["output_tokens"] - 1),
         predictions[row["request_id"]]["tpot_ms"])
        for row in complete if row["output_tokens"] > 8]
    return {"TTFT": ttft, "TPOT": [pair for pair in tpot if pair[0] > 0]}


def show(path, label, rows, predictions):
    """Prints MAPE, MAE and pinball of both targets on `rows`."""
    for name, pairs in targets(rows, predictions).items():
        mape, mae, pinball, _ = metrics([y for y, _ in pairs], [p for _, p in pairs])
        print(
            f"{os.path.basename(path):28s} {label} {name} MAPE {mape:.4f} MAE {mae:.2f} "
            f"p90-pinball {pinball:.4f}")


def slowdown(options):
    """Coverage of p90 in blocks of 500 outcomes after every latency grew by 30 %."""
    for path in options.logs:
        rows = load(path)
        cut = int(options.share * len(rows))
        moment = cut + int(0.08 * len(rows))
        for row in rows[moment:]:
            for field in ("ttft_ms", "e2e_ms"):
                if field in row:
                    row[field] *= 1.3
        predictions = predict(rows[:cut], rows, options.glidepath)
        for name, pairs in targets(rows[moment:], predictions).items():
            covered = [actual <= heads["p90"] for actual, heads in pairs]
            blocks = [covered[i:i + 500] for i in range(0, min(len(covered), 4500), 500)]
            shares = " ".join(f"{sum(b) / len(b):.3f}" for b in blocks if len(b) > 250)
            later = covered[2000:]
            print(
                f"{os.path.basename(path):28s} {name} p90 coverage by 500: {shares} | after "
                f"2,000: {sum(later) / max(len(later), 1):.3f}")


def middle(options):
    """MAPE, MAE and pinball when latencies grew by 30 % within the log that is fitted."""
    for path in options.logs:
        rows = load(path)
        cut = int(options.share * len(rows))
        first, last = rows[0]["received_unix_ns"], rows[-1]["received_unix_ns"]
        for row in rows:
            is_later = row["received_unix_ns"] >= first + options.moment * (last - first)
            if is_later and options.endpoint in (None, row["endpoint"]):
                for field in ("ttft_ms", "e2e_ms"):
                    if field in row:
                        row[field] *= 1.3
        predictions = predict(rows[:cut], rows, options.glidepath)
        show(path, f"x 1.3 from {options.moment}", rows[cut:], predictions)


def cold(options):
    """MAPE on new endpoints by how many of their requests the fit had seen."""
    for path in options.logs:
        rows = load(path)
        cut = int(options.share * len(rows))
        new = [row for row in rows[:cut] if row[options.key] == options.value]
        judged = [row for row in rows[cut:] if row[options.key] == options.value]
        errors = {}
        for count in (50, 300, 5000):
            kept = new[:count] if options.first else new[-count:]
            known = {row["request_id"] for row in kept}
            fitted = [
                row for row in rows[:cut]
                if row[options.key] != options.value or row["request_id"] in known]
            pairs = targets(judged, predict(fitted, rows, options.glidepath))
            errors[count] = {
                name: metrics([y for y, _ in both], [p for _, p in both])[0]
                for name, both in pairs.items()}
            print(f"{os.path.basename(path)} {options.value} {count:5d} " + " ".join(
                f"{name} MAPE {value:.4f}" for name, value in errors[count].items()))
        print("  50 against 5,000: " + " ".join(
            f"{name} {errors[50][name] / errors[5000][name]:.2f}" for name in errors[50]))


def replicas(options):
    """MAPE and pinball when a second gateway sends half of the requests, unseen."""
    for path in options.logs:
        rows = load(path)
        cut = int(options.share * len(rows))
        for gateways in (1, 2):
            choice = random.Random(1)
            for row in rows:
                row["gateway"] = f"gw-{choice.randrange(gateways)}"
            predictions = predict(rows[:cut], rows, options.glidepath)
            show(path, f"{gateways} gateways", rows[cut:], predictions)


def chunks(options):
    """MAPE and pinball with the chunk times that a log has, and without."""
    for path in options.logs:
        rows = load(path)
        cut = int(options.share * len(rows))
        bare = [{k: v for k, v in row.items() if k != "chunk_offsets_ms"} for row in rows]
        for label, seen in (("without", bare), ("with", rows)):
            predictions = predict(seen[:cut], seen, options.glidepath)
            show(path, f"{label:7s}", rows[cut:], predictions)


def main():
    """Parses the arguments and runs one experiment."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=["slowdown", "middle", "cold", "replicas", "chunks"])
    parser.add_argument("logs", nargs="+")
    parser.add_argument("--glidepath", default=".build/release/glidepath")
    parser.add_argument("--share", type=float, default=0.7)
    parser.add_argument("--key", default="accelerator")
    parser.add_argument("--value")
    parser.add_argument("--first", action="store_true")
    parser.add_argument("--moment", type=float, default=0.5)
    parser.add_argument("--endpoint")
    options = parser.parse_args()
    experiments = {
        "slowdown": slowdown, "middle": middle, "cold": cold, "replicas": replicas,
        "chunks": chunks}
    experiments[options.experiment](options)


if __name__ == "__main__":
    main()
