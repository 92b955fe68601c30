"""Routes through ctypes, as route.c does: python3 route.py LIBRARY FILE."""

import ctypes
import sys
from ctypes import byref, c_char_p, c_double, c_int32, c_int64, c_uint64, c_void_p


class Heads(ctypes.Structure):
    _fields_ = [(name, c_double) for name in ("mean", "p50", "p90", "p95", "p99")]


class Prediction(ctypes.Structure):
    _fields_ = [
        ("ttft_ms", Heads), ("tpot_ms", Heads), ("is_extrapolating", c_int32), ("code", c_int32)]


class Request(ctypes.Structure):
    _fields_ = [
        ("prompt_tokens", c_double), ("maximum_tokens", c_double),
        ("expected_output_tokens", c_double), ("ttft_objective_ms", c_double),
        ("tpot_objective_ms", c_double), ("block_tokens", c_double),
        ("prefix_blocks", ctypes.POINTER(c_uint64)), ("prefix_block_count", c_int64),
        ("is_sheddable", c_int32), ("reserved", c_int32)]


class Pick(ctypes.Structure):
    _fields_ = [
        ("endpoint", c_int32), ("prefill_endpoint", c_int32), ("reason", c_int32),
        ("reserved", c_int32), ("propensity", c_double), ("matched_prefix_tokens", c_double),
        ("prediction", Prediction)]


PREDICTED_COST = 0
library = ctypes.CDLL(sys.argv[1])
library.glidepath_model_close.restype = None
library.glidepath_pool_close.restype = None
library.glidepath_last_error.restype = c_int64
# Said once, so that handles, which are pointers, are never cut to 32 bits.
library.glidepath_pool_pick.argtypes = [
    c_void_p, ctypes.POINTER(Request), ctypes.POINTER(c_int32), c_int64, c_double,
    ctypes.POINTER(Pick)]
library.glidepath_pool_routed.argtypes = [
    c_void_p, c_int32, ctypes.POINTER(Request), c_double, ctypes.POINTER(c_uint64)]
library.glidepath_pool_open_sized.argtypes = [
    c_void_p, c_int64, c_uint64, ctypes.POINTER(c_void_p)]
library.glidepath_pool_set_policy.argtypes = [
    c_void_p, c_int32, ctypes.POINTER(c_double), c_int64]
library.glidepath_pool_add_endpoint.argtypes = [
    c_void_p, c_char_p, c_char_p, ctypes.POINTER(c_int32)]


def call(name, *arguments):
    code = getattr(library, name)(*arguments)
    if code != 0:
        reason = ctypes.create_string_buffer(512)
        library.glidepath_last_error(reason, c_int64(512))
        sys.exit(f"{name}: code {code}: {reason.value.decode()}")


model, pool = c_void_p(), c_void_p()
call("glidepath_model_open", sys.argv[2].encode(), c_int32(0), byref(model))
call("glidepath_pool_open_sized", model, 1000, 7, byref(pool))
endpoints = [c_int32() for _ in range(3)]
for number, endpoint in enumerate(endpoints):
    call("glidepath_pool_add_endpoint", pool, b"e%d" % number, b"", byref(endpoint))
# No exploration, so that the output is always the same.
values = (c_double * 8)(0.2, 0, 1, 0, 2, 0, 0.1, 0)
call("glidepath_pool_set_policy", pool, PREDICTED_COST, values, 8)

blocks = (c_uint64 * 4)(11, 12, 13, 14)
request = Request(
    prompt_tokens=1100, block_tokens=256, prefix_blocks=blocks, prefix_block_count=len(blocks))
pick = Pick()
for turn in range(6):
    time = 35.0 * turn
    call("glidepath_pool_pick", pool, byref(request), None, 0, time, byref(pick))
    print(pick.endpoint, pick.reason, "%.17g" % pick.propensity,
          "%.0f" % pick.matched_prefix_tokens, "%.17g" % pick.prediction.ttft_ms.mean)
    handle = c_uint64()
    call("glidepath_pool_routed", pool, pick.endpoint, byref(request), time, byref(handle))
    if turn % 2 == 0:
        call("glidepath_pool_first_token", pool, handle, c_double(time + 20))
        call("glidepath_pool_finished", pool, handle, c_double(5), c_double(time + 30))

for endpoint in endpoints:
    call("glidepath_pool_set_available", pool, endpoint, c_int32(0))
call("glidepath_pool_pick", pool, byref(request), None, 0, 210.0, byref(pick))
print(pick.endpoint, pick.reason)
library.glidepath_pool_close(pool)
library.glidepath_model_close(model)
