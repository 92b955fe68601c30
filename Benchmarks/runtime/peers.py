#!/usr/bin/env python3
"""Times XGBoost's and LightGBM's C libraries on one thread: the peer's two models, 1,000 rows a call.

    peers.py LOG.jsonl[.zst] [ROWS]

The features and hyper-parameters are those that llm-d's latency predictor publishes. One model a
target is timed, though five heads a target would need five.
"""
import json
import subprocess
import sys
import time

import lightgbm
import numpy
import xgboost

NAMES = ["kv_usage", "input_tokens", "waiting", "running", "prefill_tokens_in_flight", "inflight"]


def read(path):
    command = ["zstd", "-dcq", path] if path.endswith(".zst") else ["cat", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        rows = [json.loads(line) for line in process.stdout]
    rows = [row for row in rows if row["status"] == 200 and row["output_tokens"] > 8]
    share = [row.get("prefix_match_tokens", 0) / max(row["input_tokens"], 1) for row in rows]
    table = numpy.array([[row.get(name, 0) for name in NAMES] for row in rows], dtype=float)
    extra = numpy.array(share)[:, None]
    queued = (table[:, 2:3] > 0).astype(float)
    effective = (1 - extra) * table[:, 1:2]
    bucket = numpy.minimum((extra * 4).astype(int), 3)
    features = numpy.hstack([table, extra, queued, effective, bucket])
    ttft = numpy.array([row["ttft_ms"] for row in rows])
    tpot = numpy.array(
        [(row["e2e_ms"] - row["ttft_ms"]) / (row["output_tokens"] - 1) for row in rows])
    return features, [ttft, tpot]


def least(call, seconds=3):
    call()
    best, end = float("inf"), time.process_time() + seconds
    while time.process_time() < end:
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best * 1e6


def main():
    features, targets = read(sys.argv[1])
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    sample = numpy.ascontiguousarray(features[:rows])
    shared = dict(n_estimators=200, max_depth=6, learning_rate=0.05, subsample=0.8, n_jobs=1)
    boosters = [
        xgboost.XGBRegressor(
            colsample_bytree=0.8, min_child_weight=5, gamma=0.2, reg_alpha=0.01, reg_lambda=0.1,
            tree_method="hist", random_state=42, **shared).fit(features, target).get_booster()
        for target in targets
    ]
    for booster in boosters:
        booster.set_param({"nthread": 1})
    lights = [
        lightgbm.LGBMRegressor(
            min_child_samples=20, reg_alpha=0.1, reg_lambda=0.1, verbose=-1, **shared
        ).fit(features, target).booster_
        for target in targets
    ]
    print(json.dumps({
        "rows": rows,
        "xgboost_us": round(least(lambda: [b.inplace_predict(sample) for b in boosters]), 1),
        "lightgbm_us": round(
            least(lambda: [b.predict(sample, num_threads=1) for b in lights]), 1),
    }))


if __name__ == "__main__":
    main()
