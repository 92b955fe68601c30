/*
 * glidepath.h: predicts, per endpoint, when a request's first token would come and how fast the
 * others would follow.
 *
 * A model (glidepath_model) is what a coefficient file holds; it is shared by any number of pools
 * and may follow its file. A pool (glidepath_pool) is what one gateway replica knows of its
 * endpoints; its events keep it true.
 *
 * Units: durations are milliseconds as double. Times are milliseconds as double on any one clock
 * that does not run backwards; the library reads no clock. Fractions are 0 to 1.
 *
 * Threads: every function of a model may be called from any thread at any time. A pool belongs to
 * one thread at a time: calls on one pool must not overlap, calls on different pools may.
 * glidepath_last_error is per thread.
 *
 * Nothing is called back into the host (but the check of glidepath_model_open_signed), and no
 * function exits the process on bad data.
 */
#ifndef GLIDEPATH_H
#define GLIDEPATH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface; a library of another major version is incompatible. */
#define GLIDEPATH_ABI_VERSION 1

/* What functions return. Codes are fixed: new ones may be added, none changes. */
typedef int32_t glidepath_code;
#define GLIDEPATH_OK 0
/* A pointer is null, a number is not finite or out of range, a text is not UTF-8. */
#define GLIDEPATH_INVALID_ARGUMENT 1
/* No such endpoint or no such request: it is unknown or has ended. */
#define GLIDEPATH_NOT_FOUND 2
/* No model is in force yet. */
#define GLIDEPATH_NO_MODEL 3
/* The file is missing or cannot be read. */
#define GLIDEPATH_UNREADABLE 10
/* The file is larger than allowed. */
#define GLIDEPATH_OVERSIZED 11
/* The file is not a coefficient file, is cut short or fails a check. */
#define GLIDEPATH_MALFORMED 12
/* The file has a format version that this library does not read. */
#define GLIDEPATH_UNSUPPORTED_FORMAT 13
/* A signature is required, and the file has none or a wrong one. */
#define GLIDEPATH_UNTRUSTED 14
/* The file was fitted for another version's features. */
#define GLIDEPATH_SCHEMA_MISMATCH 15

typedef struct glidepath_model glidepath_model;
typedef struct glidepath_pool glidepath_pool;

/* A predicted latency distribution, ms. */
typedef struct {
  double mean;
  double p50;
  double p90;
  double p95;
  double p99;
} glidepath_heads;

/* What is predicted for one request on one endpoint. */
typedef struct {
  /* Time to first token, from dispatch. */
  glidepath_heads ttft_ms;
  /* Time per output token after the first. */
  glidepath_heads tpot_ms;
  /* 1 when a feature lies outside what the model was fitted on, else 0. */
  int32_t is_extrapolating;
  /* GLIDEPATH_OK, or why this row holds no prediction (its numbers are 0). */
  glidepath_code code;
} glidepath_prediction;

/* One endpoint as a candidate for a request. */
typedef struct {
  /* As glidepath_pool_add_endpoint returned it. */
  int32_t endpoint;
  int32_t reserved;
  /* Prompt tokens thought to be cached there; 0 to the prompt's tokens. */
  double matched_prefix_tokens;
} glidepath_candidate;

/* A request to be routed. Zero it before use; a 0 means "not known" where nothing else is said. */
typedef struct {
  /* Prompt tokens. */
  double prompt_tokens;
  /* The client's limit of output tokens. */
  double maximum_tokens;
  /* How many it is expected to generate. */
  double expected_output_tokens;
  /* What the client asked for, ms. */
  double ttft_objective_ms;
  double tpot_objective_ms;
  /* Tokens per block of prefix_blocks. */
  double block_tokens;
  /* Hashes of the prompt's leading blocks; each covers its block and all before it. */
  const uint64_t *prefix_blocks;
  int64_t prefix_block_count;
  /* 1 when it may be refused under overload. */
  int32_t is_sheddable;
  int32_t reserved;
} glidepath_request;

/* Why an endpoint was picked, or none. */
#define GLIDEPATH_PICK_BEST_SCORE 0
#define GLIDEPATH_PICK_ONLY_CANDIDATE 1
#define GLIDEPATH_PICK_PREFIX_AFFINITY 2
#define GLIDEPATH_PICK_EXPLORATION 3
#define GLIDEPATH_PICK_LEAST_VIOLATION 4
#define GLIDEPATH_PICK_NO_ENDPOINT 5
#define GLIDEPATH_PICK_SHED 6

/* The outcome of one decision. */
typedef struct {
  /* The endpoint, or -1 for none; with separate prefill, where decode runs. */
  int32_t endpoint;
  /* Where prefill runs when elsewhere, else -1. */
  int32_t prefill_endpoint;
  /* GLIDEPATH_PICK_... */
  int32_t reason;
  int32_t reserved;
  /* With what probability the policy chose so, 0 to 1; for the request log. */
  double propensity;
  /* Prompt tokens thought to be cached where prefill runs. */
  double matched_prefix_tokens;
  /* What is predicted there. */
  glidepath_prediction prediction;
} glidepath_pick;

/* Policies of glidepath_pool_set_policy, with their parameters in order. */
/* Least predicted cost; the parameters of the coefficient file's policy section. The default. */
#define GLIDEPATH_POLICY_PREDICTED_COST 0
#define GLIDEPATH_POLICY_ROUND_ROBIN 1
#define GLIDEPATH_POLICY_RANDOM 2
#define GLIDEPATH_POLICY_LEAST_REQUEST 3
#define GLIDEPATH_POLICY_POWER_OF_TWO 4
/* Weights: queue (2), KV cache (2), prefix (3). */
#define GLIDEPATH_POLICY_WEIGHTED_SCORERS 5
/* Threshold (0.8), exploration (0), penalty in ms (18000), prefill tokens per second (15928). */
#define GLIDEPATH_POLICY_AFFINITY 6
#define GLIDEPATH_POLICY_LOAD_PRODUCT 7

/* Roles of glidepath_pool_add_endpoint_with_role. */
#define GLIDEPATH_ROLE_BOTH 0
#define GLIDEPATH_ROLE_PREFILL 1
#define GLIDEPATH_ROLE_DECODE 2

/*
 * Returns 1 when `signature` is right for `message`, else 0. Called on the thread that reads the
 * file; `context` must be safe there.
 */
typedef int32_t (*glidepath_signature_check)(
    const uint8_t *message, int64_t message_size, const uint8_t *signature,
    int64_t signature_size, void *context);

/* About the model in force and its reloads. */
typedef struct {
  /* Counts the models put in force; 0 when none was. */
  uint64_t version;
  /* The digest of the requests that it was fitted on. */
  uint64_t dataset_fingerprint;
  /* How many requests it was fitted on. */
  uint64_t sample_count;
  /* The first and the last arrival among them, Unix nanoseconds. */
  int64_t first_received_unix_ns;
  int64_t last_received_unix_ns;
  /* Files put in force and files refused so far. */
  uint64_t loaded_count;
  uint64_t refused_count;
} glidepath_model_info;

/* Returns GLIDEPATH_ABI_VERSION of the library. Any thread. */
int32_t glidepath_abi_version(void);

/*
 * Opens the coefficient file at `path` (UTF-8) and stores a model in `*model`. With `watch` = 1 the
 * model follows the file from then on: renames, link switches and copies in place take effect
 * without a further call, and bad files are refused while the old model serves. A watched file may
 * be missing or bad at first; otherwise a refusal returns its code and stores NULL. Any thread.
 */
glidepath_code glidepath_model_open(const char *path, int32_t watch, glidepath_model **model);

/*
 * As glidepath_model_open, but takes only files whose Ed25519 signature `check` accepts: the host
 * brings the key and the cryptography. `context` is handed to `check`. Any thread.
 */
glidepath_code glidepath_model_open_signed(
    const char *path, int32_t watch, glidepath_signature_check check, void *context,
    glidepath_model **model);

/* Ends watching and releases the model; pools keep what they use. NULL is ignored. Any thread, once. */
void glidepath_model_close(glidepath_model *model);

/* Reads the file again, now, on the calling thread. On refusal the old model serves. Any thread. */
glidepath_code glidepath_model_reload(glidepath_model *model);

/* Describes the model in force. Any thread. */
glidepath_code glidepath_model_describe(glidepath_model *model, glidepath_model_info *info);

/*
 * Copies the reason of the last refused file into `buffer` as a terminated text of at most `size`
 * bytes, empty when the last file was accepted. Returns the bytes of the whole reason. Any thread.
 */
int64_t glidepath_model_refusal(glidepath_model *model, char *buffer, int64_t size);

/*
 * Makes a pool without endpoints that follows `model`; it takes up new models by itself, between
 * two calls. The pool may outlive the model's handle. Any thread.
 */
glidepath_code glidepath_pool_open(glidepath_model *model, glidepath_pool **pool);

/*
 * As glidepath_pool_open, with room for `prefix_blocks` cached blocks per endpoint (24 to 32 bytes
 * each; glidepath_pool_open has 31,250) and a seed for exploration and ties. Any thread.
 */
glidepath_code glidepath_pool_open_sized(
    glidepath_model *model, int64_t prefix_blocks, uint64_t seed, glidepath_pool **pool);

/* Releases the pool. NULL is ignored. Its thread, once. */
void glidepath_pool_close(glidepath_pool *pool);

/*
 * Adds an endpoint and stores its number in `*endpoint`. `name` and `accelerator` (UTF-8, may be
 * empty) are those of the request log. Needs a model. Its thread.
 */
glidepath_code glidepath_pool_add_endpoint(
    glidepath_pool *pool, const char *name, const char *accelerator, int32_t *endpoint);

/* As glidepath_pool_add_endpoint, for separate prefill and decode: GLIDEPATH_ROLE_... Its thread. */
glidepath_code glidepath_pool_add_endpoint_with_role(
    glidepath_pool *pool, const char *name, const char *accelerator, int32_t role,
    int32_t *endpoint);

/* Takes an endpoint out of the choice (0) or back in (1); requests there go on. Its thread. */
glidepath_code glidepath_pool_set_available(
    glidepath_pool *pool, int32_t endpoint, int32_t is_available);

/*
 * Routes by GLIDEPATH_POLICY_... from now on, whatever policy later models bring. `values` holds
 * `count` parameters in the policy's order; missing ones keep their defaults. Its thread.
 */
glidepath_code glidepath_pool_set_policy(
    glidepath_pool *pool, int32_t policy, const double *values, int64_t count);

/*
 * Chooses an endpoint among `subset[0 .. count)`, or among all available when `subset` is NULL, and
 * stores the outcome in `*pick`; no endpoint and shedding are outcomes, not errors. Nothing is
 * dispatched yet. Allocates nothing once warm, unless a new model is taken up. Its thread.
 */
glidepath_code glidepath_pool_pick(
    glidepath_pool *pool, const glidepath_request *request, const int32_t *subset, int64_t count,
    double time_ms, glidepath_pick *pick);

/*
 * Event: a picked request was sent to an endpoint, which will now cache its prompt. Stores in
 * `*handle` what the next events need. With separate prefill, `endpoint` is the prefill endpoint.
 * Its thread.
 */
glidepath_code glidepath_pool_routed(
    glidepath_pool *pool, int32_t endpoint, const glidepath_request *request, double time_ms,
    uint64_t *handle);

/*
 * Event: separate prefill `prefill` is done and its KV cache goes to the decode endpoint. Ends
 * `prefill` and stores the decode's handle in `*handle`. Its thread.
 */
glidepath_code glidepath_pool_handed_off(
    glidepath_pool *pool, uint64_t prefill, int32_t endpoint, const glidepath_request *request,
    double time_ms, uint64_t *handle);

/*
 * Predicts one request on `count` candidates into `predictions[0 .. count)`. All rows come from one
 * model. `prompt_tokens` >= 0; `maximum_tokens` is the client's limit, 0 for none. Allocates
 * nothing, unless a new model is taken up. Its thread.
 */
glidepath_code glidepath_pool_predict(
    glidepath_pool *pool, double prompt_tokens, double maximum_tokens,
    const glidepath_candidate *candidates, int64_t count, double time_ms,
    glidepath_prediction *predictions);

/*
 * Event: a request was sent to an endpoint. Stores in `*request` what the next events need.
 * `matched_prefix_tokens` is the gateway's estimate for that endpoint. Its thread.
 */
glidepath_code glidepath_pool_dispatched(
    glidepath_pool *pool, int32_t endpoint, double prompt_tokens, double matched_prefix_tokens,
    double maximum_tokens, double time_ms, uint64_t *request);

/* Event: the request's first token came back. Its thread. */
glidepath_code glidepath_pool_first_token(glidepath_pool *pool, uint64_t request, double time_ms);

/*
 * Event: more of a streamed answer came back, after its first token. It shows when the engine's step
 * ended; optional, and worth telling every 20 ms or so of an answer. Its thread.
 */
glidepath_code glidepath_pool_tokens(glidepath_pool *pool, uint64_t request, double time_ms);

/*
 * Event: the request ended, was aborted or timed out. `output_tokens` is what it generated, 0 when
 * unknown. Each dispatched request must end once. Its thread.
 */
glidepath_code glidepath_pool_finished(
    glidepath_pool *pool, uint64_t request, double output_tokens, double time_ms);

/*
 * Event: the endpoint's metrics were scraped: requests that wait, requests in the batch, KV-cache
 * usage 0 to 1, and when. Its thread.
 */
glidepath_code glidepath_pool_snapshot(
    glidepath_pool *pool, int32_t endpoint, double waiting_requests, double running_requests,
    double kv_cache_usage, double time_ms);

/*
 * Stores the factors by which recent outcomes move an endpoint's predictions; 1 is none. Its thread.
 */
glidepath_code glidepath_pool_corrections(
    glidepath_pool *pool, int32_t endpoint, double time_ms, double *ttft_factor,
    double *tpot_factor);

/* Stores how many requests are in flight: dispatched and not finished. Its thread. */
glidepath_code glidepath_pool_in_flight(glidepath_pool *pool, int64_t *count);

/*
 * Copies the reason of the calling thread's last failed call into `buffer` as a terminated text of at
 * most `size` bytes; empty before the first. Returns the bytes of the whole reason. Any thread.
 */
int64_t glidepath_last_error(char *buffer, int64_t size);

#ifdef __cplusplus
}
#endif

#endif
