#!/usr/bin/env python3
"""Times XGBoost or LightGBM fitting two p90 models, of TTFT and of TPOT, to a request log.

Features and settings are those that llm-d's latency predictor publishes. Reading the log and
making the features is not timed. Prints one JSON line.

    fit_peers.py LOG.jsonl --library xgboost --threads 4
"""

import argparse
import json
import time

import numpy as np

LEVEL = 0.9
TREES = 200
BASE = ["kv_usage", "input_tokens", "waiting", "running"]
IN_FLIGHT = ["prefill_tokens_in_flight", "context_tokens_in_flight"]


def columns(path):
    """The successful requests' fields as float arrays, with what the features derive from."""
    import duckdb

    names = BASE + IN_FLIGHT + ["prefix_match_tokens", "output_tokens", "ttft_ms", "e2e_ms"]
    types = {name: "DOUBLE" for name in names} | {"status": "BIGINT"}
    query = (
        f"SELECT {', '.join(names)} FROM read_json('{path}', format='newline_delimited',"
        f" columns={types!r}) WHERE status = 200 AND ttft_ms > 0 AND e2e_ms > ttft_ms"
    )
    found = duckdb.sql(query).fetchnumpy()
    return {name: np.ma.filled(found[name].astype(float), 0.0) for name in names}


def targets(log):
    """Two (features, target) pairs; TPOT only of requests with two output tokens or more."""
    prefix = np.clip(log["prefix_match_tokens"] / np.maximum(log["input_tokens"], 1), 0, 1)
    load = [(log["waiting"] > 0).astype(float)] + [log[name] for name in BASE + IN_FLIGHT]
    bucket = np.minimum((prefix * 4).astype(int), 3).astype(float)
    ttft = load + [prefix, (1 - prefix) * log["input_tokens"], bucket]
    tpot = load + [log["output_tokens"]]
    several = log["output_tokens"] >= 2
    gap = (log["e2e_ms"] - log["ttft_ms"]) / np.maximum(log["output_tokens"] - 1, 1)
    return [
        (np.column_stack(ttft), log["ttft_ms"]),
        (np.column_stack(tpot)[several], gap[several]),
    ]


def fit_xgboost(features, target, threads):
    import xgboost

    settings = {
        "objective": "reg:quantileerror", "quantile_alpha": LEVEL, "max_depth": 6, "eta": 0.05,
        "subsample": 0.8, "colsample_bytree": 0.8, "min_child_weight": 5, "gamma": 0.2,
        "alpha": 0.01, "lambda": 0.1, "tree_method": "hist", "seed": 42, "nthread": threads,
    }
    data = xgboost.QuantileDMatrix(features, label=target, nthread=threads)
    return xgboost.train(settings, data, num_boost_round=TREES).inplace_predict


def fit_lightgbm(features, target, threads):
    import lightgbm

    settings = {
        "objective": "quantile", "alpha": LEVEL, "max_depth": 6, "learning_rate": 0.05,
        "bagging_fraction": 0.8, "bagging_freq": 1, "feature_fraction": 0.8,
        "min_data_in_leaf": 20, "lambda_l1": 0.1, "lambda_l2": 0.1, "seed": 42,
        "num_threads": threads, "verbosity": -1,
    }
    data = lightgbm.Dataset(features, label=target)
    return lightgbm.train(settings, data, num_boost_round=TREES).predict


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log")
    parser.add_argument("--library", choices=["xgboost", "lightgbm"], required=True)
    parser.add_argument("--threads", type=int, default=4)
    arguments = parser.parse_args()
    fit = {"xgboost": fit_xgboost, "lightgbm": fit_lightgbm}[arguments.library]
    pairs = targets(columns(arguments.log))
    fit_seconds, predict_seconds, rows = 0.0, 0.0, 0
    for features, target in pairs:
        begin = time.perf_counter()
        predict = fit(features, target, arguments.threads)
        fitted = time.perf_counter()
        predict(features)
        predict_seconds += time.perf_counter() - fitted
        fit_seconds += fitted - begin
        rows += len(target)
    print(
        json.dumps(
            {
                "library": arguments.library,
                "rows": rows,
                "fit_s": round(fit_seconds, 3),
                "predict_ns_per_row": round(predict_seconds / rows * 1e9, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
