"""The same as example.c through ctypes: python3 example.py LIBRARY FILE."""

import ctypes
import sys
from ctypes import byref, c_double, c_int32, c_int64, c_uint64, c_void_p


class Heads(ctypes.Structure):
    _fields_ = [(name, c_double) for name in ("mean", "p50", "p90", "p95", "p99")]


class Prediction(ctypes.Structure):
    _fields_ = [
        ("ttft_ms", Heads), ("tpot_ms", Heads), ("is_extrapolating", c_int32), ("code", c_int32)]


class Candidate(ctypes.Structure):
    _fields_ = [
        ("endpoint", c_int32), ("reserved", c_int32), ("matched_prefix_tokens", c_double)]


class ModelInfo(ctypes.Structure):
    _fields_ = [
        ("version", c_uint64), ("dataset_fingerprint", c_uint64), ("sample_count", c_uint64),
        ("first_received_unix_ns", c_int64), ("last_received_unix_ns", c_int64),
        ("loaded_count", c_uint64), ("refused_count", c_uint64)]


library = ctypes.CDLL(sys.argv[1])
library.glidepath_model_close.restype = None
library.glidepath_pool_close.restype = None
library.glidepath_last_error.restype = c_int64


def call(name, *arguments):
    code = getattr(library, name)(*arguments)
    if code != 0:
        reason = ctypes.create_string_buffer(512)
        library.glidepath_last_error(reason, c_int64(512))
        sys.exit(f"{name}: code {code}: {reason.value.decode()}")


model, pool = c_void_p(), c_void_p()
call("glidepath_model_open", sys.argv[2].encode(), c_int32(0), byref(model))
call("glidepath_pool_open", model, byref(pool))
endpoints = [c_int32(), c_int32()]
call("glidepath_pool_add_endpoint", pool, b"e0", b"fast", byref(endpoints[0]))
call("glidepath_pool_add_endpoint", pool, b"e1", b"", byref(endpoints[1]))

time = 0.0
for turn in range(10):
    candidates = (Candidate * 2)((endpoints[0].value, 0, 100), (endpoints[1].value, 0, 0))
    predictions = (Prediction * 2)()
    call("glidepath_pool_predict", pool, c_double(1500), c_double(256), candidates, c_int64(2),
         c_double(time), predictions)
    best = 0 if predictions[0].ttft_ms.p90 <= predictions[1].ttft_ms.p90 else 1
    request = c_uint64()
    call("glidepath_pool_dispatched", pool, c_int32(candidates[best].endpoint), c_double(1500),
         c_double(candidates[best].matched_prefix_tokens), c_double(256), c_double(time),
         byref(request))
    call("glidepath_pool_first_token", pool, request, c_double(time + 120))
    call("glidepath_pool_snapshot", pool, c_int32(candidates[best].endpoint), c_double(0),
         c_double(1), c_double(0.1), c_double(time + 150))
    call("glidepath_pool_finished", pool, request, c_double(30), c_double(time + 380))
    print(best, "%.17g" % predictions[best].ttft_ms.p90, "%.17g" % predictions[best].tpot_ms.mean)
    time += 400

in_flight = c_int64()
call("glidepath_pool_in_flight", pool, byref(in_flight))
info = ModelInfo()
call("glidepath_model_describe", model, byref(info))
print(in_flight.value, info.version, info.dataset_fingerprint)
library.glidepath_model_close(model)
library.glidepath_pool_close(pool)
