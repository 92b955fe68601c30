/*
 * Routes as a host without a C compiler would, such as Go through purego: the library is opened by
 * its soname, functions are found by name, handles are plain integers, nothing is called back.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "glidepath.h"

static void *library;

static void *symbol(const char *name) {
  void *found = dlsym(library, name);
  if (!found) fprintf(stderr, "no function %s\n", name);
  return found;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  library = dlopen(argv[1], RTLD_NOW);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  int32_t (*version)(void) = symbol("glidepath_abi_version");
  int32_t (*model_open)(const char *, int32_t, uintptr_t *) = symbol("glidepath_model_open");
  void (*model_close)(uintptr_t) = symbol("glidepath_model_close");
  int32_t (*pool_open)(uintptr_t, int64_t, uint64_t, uintptr_t *) =
      symbol("glidepath_pool_open_sized");
  void (*pool_close)(uintptr_t) = symbol("glidepath_pool_close");
  int32_t (*add)(uintptr_t, const char *, const char *, int32_t *) =
      symbol("glidepath_pool_add_endpoint");
  int32_t (*available)(uintptr_t, int32_t, int32_t) = symbol("glidepath_pool_set_available");
  int32_t (*policy)(uintptr_t, int32_t, const double *, int64_t) =
      symbol("glidepath_pool_set_policy");
  int32_t (*choose)(
      uintptr_t, const glidepath_request *, const int32_t *, int64_t, double, glidepath_pick *) =
      symbol("glidepath_pool_pick");
  int32_t (*routed)(uintptr_t, int32_t, const glidepath_request *, double, uint64_t *) =
      symbol("glidepath_pool_routed");
  int32_t (*first_token)(uintptr_t, uint64_t, double) = symbol("glidepath_pool_first_token");
  int32_t (*finished)(uintptr_t, uint64_t, double, double) = symbol("glidepath_pool_finished");
  if (version() != GLIDEPATH_ABI_VERSION) return 3;

  uintptr_t model, pool;
  if (model_open(argv[2], 0, &model) || pool_open(model, 1000, 7, &pool)) return 4;
  int32_t endpoints[3];
  for (int i = 0; i < 3; i++) {
    char name[8];
    snprintf(name, sizeof name, "e%d", i);
    if (add(pool, name, "", &endpoints[i])) return 5;
  }
  /* No exploration, so that the output is always the same. */
  const double values[] = {0.2, 0, 1, 0, 2, 0, 0.1, 0};
  if (policy(pool, GLIDEPATH_POLICY_PREDICTED_COST, values, 8)) return 6;

  const uint64_t blocks[] = {11, 12, 13, 14};
  glidepath_request request;
  memset(&request, 0, sizeof request);
  request.prompt_tokens = 1100;
  request.block_tokens = 256;
  request.prefix_blocks = blocks;
  request.prefix_block_count = 4;
  double time = 0;
  for (int turn = 0; turn < 6; turn++, time += 35) {
    glidepath_pick pick;
    if (choose(pool, &request, NULL, 0, time, &pick)) return 7;
    printf("%d %d %.17g %.0f %.17g\n", pick.endpoint, pick.reason, pick.propensity,
           pick.matched_prefix_tokens, pick.prediction.ttft_ms.mean);
    uint64_t handle;
    if (routed(pool, pick.endpoint, &request, time, &handle)) return 8;
    if (turn % 2 == 0) {
      if (first_token(pool, handle, time + 20) || finished(pool, handle, 5, time + 30)) return 9;
    }
  }
  for (int i = 0; i < 3; i++) available(pool, endpoints[i], 0);
  glidepath_pick none;
  if (choose(pool, &request, NULL, 0, time, &none)) return 10;
  printf("%d %d\n", none.endpoint, none.reason);
  const int32_t unknown[] = {9};
  if (choose(pool, &request, unknown, 1, time, &none) != GLIDEPATH_NOT_FOUND) return 11;
  pool_close(pool);
  model_close(model);
  return 0;
}
