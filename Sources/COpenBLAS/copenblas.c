#include "copenblas.h"

// Weak: they are NULL when the library behind the BLAS symbols is not OpenBLAS.
extern char *openblas_get_config(void) __attribute__((weak));
extern void openblas_set_num_threads(int count) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));

const char *copenblas_config(void) {
  return openblas_get_config ? openblas_get_config() : NULL;
}

void copenblas_set_thread_count(int count) {
  if (openblas_set_num_threads) openblas_set_num_threads(count);
}

int copenblas_thread_count(void) {
  return openblas_get_num_threads ? openblas_get_num_threads() : 1;
}
