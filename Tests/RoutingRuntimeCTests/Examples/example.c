/* Loads a coefficient file, sends a few requests to two endpoints and prints what is predicted. */
#include <stdio.h>
#include <stdlib.h>

#include "glidepath.h"

static void check(glidepath_code code, const char *what) {
  if (code == GLIDEPATH_OK) return;
  char reason[512];
  glidepath_last_error(reason, sizeof reason);
  fprintf(stderr, "%s: code %d: %s\n", what, code, reason);
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  glidepath_model *model;
  glidepath_pool *pool;
  check(glidepath_model_open(argv[1], 0, &model), "open");
  check(glidepath_pool_open(model, &pool), "pool");
  int32_t endpoints[2];
  check(glidepath_pool_add_endpoint(pool, "e0", "fast", &endpoints[0]), "endpoint");
  check(glidepath_pool_add_endpoint(pool, "e1", "", &endpoints[1]), "endpoint");

  double time = 0;
  for (int turn = 0; turn < 10; turn++, time += 400) {
    glidepath_candidate candidates[2] = {{endpoints[0], 0, 100}, {endpoints[1], 0, 0}};
    glidepath_prediction predictions[2];
    check(glidepath_pool_predict(pool, 1500, 256, candidates, 2, time, predictions), "predict");
    int best = predictions[0].ttft_ms.p90 <= predictions[1].ttft_ms.p90 ? 0 : 1;
    uint64_t request;
    check(
        glidepath_pool_dispatched(
            pool, candidates[best].endpoint, 1500, candidates[best].matched_prefix_tokens, 256,
            time, &request),
        "dispatched");
    check(glidepath_pool_first_token(pool, request, time + 120), "first token");
    check(glidepath_pool_snapshot(pool, candidates[best].endpoint, 0, 1, 0.1, time + 150), "snapshot");
    check(glidepath_pool_finished(pool, request, 30, time + 380), "finished");
    if (glidepath_pool_finished(pool, request, 30, time + 380) != GLIDEPATH_NOT_FOUND) return 3;
    printf(
        "%d %.17g %.17g\n", best, predictions[best].ttft_ms.p90, predictions[best].tpot_ms.mean);
  }

  int64_t in_flight;
  check(glidepath_pool_in_flight(pool, &in_flight), "in flight");
  double ttft, tpot;
  check(glidepath_pool_corrections(pool, endpoints[0], time, &ttft, &tpot), "corrections");
  glidepath_model_info info;
  check(glidepath_model_describe(model, &info), "describe");
  printf("%lld %llu %llu\n", (long long)in_flight, (unsigned long long)info.version,
         (unsigned long long)info.dataset_fingerprint);
  glidepath_model_close(model);
  glidepath_pool_close(pool);
  return 0;
}
