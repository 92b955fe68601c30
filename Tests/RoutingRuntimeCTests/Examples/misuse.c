/* Calls everything wrongly: each call must return its code, and nothing may crash. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "glidepath.h"

#define EXPECT(expected, call)                                        \
  do {                                                                \
    int code = (int)(call);                                           \
    if (code != (expected)) {                                         \
      printf("%d instead of %d: %s\n", code, (expected), #call);      \
      failures++;                                                     \
    }                                                                 \
  } while (0)

int main(int argc, char **argv) {
  int failures = 0;
  if (argc != 3) return 2;
  glidepath_model *model = NULL;
  glidepath_pool *pool = NULL;
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_model_open(NULL, 0, &model));
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_model_open(argv[1], 0, NULL));
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_model_open("\xff\xfe", 0, &model));
  EXPECT(GLIDEPATH_UNREADABLE, glidepath_model_open("/nonexistent/m.glide", 0, &model));
  EXPECT(GLIDEPATH_MALFORMED, glidepath_model_open(argv[2], 0, &model));
  if (model != NULL) failures++;
  char reason[8];
  if (glidepath_last_error(reason, sizeof reason) <= 8 || strlen(reason) != 7) failures++;

  /* A watched file may be bad at first: then there is a handle, and no model yet. */
  EXPECT(GLIDEPATH_OK, glidepath_model_open(argv[2], 1, &model));
  EXPECT(GLIDEPATH_OK, glidepath_pool_open(model, &pool));
  int32_t endpoint = -1;
  EXPECT(GLIDEPATH_NO_MODEL, glidepath_pool_add_endpoint(pool, "e", "", &endpoint));
  EXPECT(GLIDEPATH_MALFORMED, glidepath_model_reload(model));
  if (glidepath_model_refusal(model, NULL, 0) == 0) failures++;
  glidepath_pool_close(pool);
  glidepath_model_close(model);

  EXPECT(GLIDEPATH_OK, glidepath_model_open(argv[1], 0, &model));
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_pool_open(NULL, &pool));
  EXPECT(GLIDEPATH_OK, glidepath_pool_open(model, &pool));
  glidepath_model_close(model);
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_pool_add_endpoint(pool, NULL, "", &endpoint));
  EXPECT(GLIDEPATH_OK, glidepath_pool_add_endpoint(pool, "e", "", &endpoint));

  uint64_t request = 0;
  double bad[] = {NAN, INFINITY, -INFINITY, -1, 1e300};
  for (int i = 0; i < 5; i++) {
    glidepath_candidate candidate = {endpoint, 0, bad[i]};
    glidepath_prediction prediction;
    EXPECT(
        GLIDEPATH_INVALID_ARGUMENT,
        glidepath_pool_predict(pool, bad[i], 0, &candidate, 1, 0, &prediction));
    EXPECT(GLIDEPATH_OK, glidepath_pool_predict(pool, 10, 0, &candidate, 1, 0, &prediction));
    EXPECT(GLIDEPATH_INVALID_ARGUMENT, prediction.code);
    EXPECT(
        GLIDEPATH_INVALID_ARGUMENT,
        glidepath_pool_dispatched(pool, endpoint, bad[i], 0, 0, 0, &request));
    EXPECT(
        GLIDEPATH_INVALID_ARGUMENT,
        glidepath_pool_snapshot(pool, endpoint, bad[i], 0, 0, 0));
  }
  glidepath_candidate unknown = {77, 0, 0};
  glidepath_prediction prediction;
  EXPECT(GLIDEPATH_OK, glidepath_pool_predict(pool, 10, 0, &unknown, 1, 0, &prediction));
  EXPECT(GLIDEPATH_NOT_FOUND, prediction.code);
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_pool_predict(pool, 10, 0, NULL, 1, 0, &prediction));
  EXPECT(GLIDEPATH_NOT_FOUND, glidepath_pool_dispatched(pool, -1, 10, 0, 0, 0, &request));
  EXPECT(GLIDEPATH_NOT_FOUND, glidepath_pool_first_token(pool, 0, 0));
  EXPECT(GLIDEPATH_NOT_FOUND, glidepath_pool_tokens(pool, 0, 0));
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_pool_tokens(pool, 0, NAN));
  EXPECT(GLIDEPATH_NOT_FOUND, glidepath_pool_finished(pool, UINT64_MAX, 0, 0));
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_pool_finished(pool, 0, 0, NAN));
  int64_t count = -1;
  EXPECT(GLIDEPATH_OK, glidepath_pool_in_flight(pool, &count));
  EXPECT(0, count);
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_pool_in_flight(NULL, &count));
  glidepath_request routing = {0};
  glidepath_pick pick;
  routing.prompt_tokens = 100;
  EXPECT(GLIDEPATH_OK, glidepath_pool_pick(pool, &routing, NULL, 0, 0, &pick));
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_pool_pick(pool, NULL, NULL, 0, 0, &pick));
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_pool_pick(pool, &routing, NULL, 0, NAN, &pick));
  routing.prefix_block_count = 3;
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_pool_pick(pool, &routing, NULL, 0, 0, &pick));
  EXPECT(
      GLIDEPATH_INVALID_ARGUMENT, glidepath_pool_routed(pool, endpoint, &routing, 0, &request));
  routing.prefix_block_count = 0;
  EXPECT(GLIDEPATH_NOT_FOUND, glidepath_pool_routed(pool, 9, &routing, 0, &request));
  EXPECT(GLIDEPATH_NOT_FOUND, glidepath_pool_handed_off(pool, 5, endpoint, &routing, 0, &request));
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_pool_set_policy(pool, 99, NULL, 0));
  EXPECT(GLIDEPATH_INVALID_ARGUMENT, glidepath_pool_set_policy(pool, 0, NULL, 3));
  EXPECT(GLIDEPATH_NOT_FOUND, glidepath_pool_set_available(pool, 9, 1));
  glidepath_pool_close(pool);
  glidepath_pool_close(NULL);
  glidepath_model_close(NULL);
  return failures;
}
