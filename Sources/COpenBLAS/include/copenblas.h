// Prototypes of the BLAS and LAPACK routines that LinearAlgebra calls, and by-value wrappers.
//
// Debian's libopenblas exports CBLAS and the Fortran LAPACK symbols but not LAPACKE, so the
// Fortran ones are declared here: every argument by address, string lengths last, 32-bit integers.
#ifndef COPENBLAS_H
#define COPENBLAS_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// The integer of the 32-bit ("LP64") interface.
typedef int32_t blas_int;

enum { CBLAS_COLUMN_MAJOR = 102, CBLAS_NO_TRANS = 111, CBLAS_TRANS = 112, CBLAS_LOWER = 122 };

void cblas_dsyrk(int order, int uplo, int trans, blas_int n, blas_int k, double alpha,
                 const double *a, blas_int lda, double beta, double *c, blas_int ldc);
void cblas_dgemm(int order, int transa, int transb, blas_int m, blas_int n, blas_int k,
                 double alpha, const double *a, blas_int lda, const double *b, blas_int ldb,
                 double beta, double *c, blas_int ldc);
void cblas_dgemv(int order, int trans, blas_int m, blas_int n, double alpha, const double *a,
                 blas_int lda, const double *x, blas_int incx, double beta, double *y,
                 blas_int incy);

void dpotrf_(const char *uplo, const blas_int *n, double *a, const blas_int *lda, blas_int *info,
             size_t);
void dpotrs_(const char *uplo, const blas_int *n, const blas_int *nrhs, const double *a,
             const blas_int *lda, double *b, const blas_int *ldb, blas_int *info, size_t);
void dpotri_(const char *uplo, const blas_int *n, double *a, const blas_int *lda, blas_int *info,
             size_t);
void dpocon_(const char *uplo, const blas_int *n, const double *a, const blas_int *lda,
             const double *anorm, double *rcond, double *work, blas_int *iwork, blas_int *info,
             size_t);
void dgeqrf_(const blas_int *m, const blas_int *n, double *a, const blas_int *lda, double *tau,
             double *work, const blas_int *lwork, blas_int *info);
void dtrcon_(const char *norm, const char *uplo, const char *diag, const blas_int *n,
             const double *a, const blas_int *lda, double *rcond, double *work, blas_int *iwork,
             blas_int *info, size_t, size_t, size_t);
void dtrtrs_(const char *uplo, const char *trans, const char *diag, const blas_int *n,
             const blas_int *nrhs, const double *a, const blas_int *lda, double *b,
             const blas_int *ldb, blas_int *info, size_t, size_t, size_t);
void dgelsd_(const blas_int *m, const blas_int *n, const blas_int *nrhs, double *a,
             const blas_int *lda, double *b, const blas_int *ldb, double *s, const double *rcond,
             blas_int *rank, double *work, const blas_int *lwork, blas_int *iwork,
             blas_int *info);
void dsyevd_(const char *jobz, const char *uplo, const blas_int *n, double *a,
             const blas_int *lda, double *w, double *work, const blas_int *lwork,
             blas_int *iwork, const blas_int *liwork, blas_int *info, size_t, size_t);

/// The build text of OpenBLAS, or NULL where another BLAS answers.
const char *_Nullable copenblas_config(void);
/// Asks OpenBLAS for `count` threads per call; does nothing on another BLAS.
void copenblas_set_thread_count(int count);
/// The threads per call that OpenBLAS uses; 1 on another BLAS.
int copenblas_thread_count(void);

// By-value wrappers over the lower triangle; each returns LAPACK's `info`.

static inline blas_int copenblas_potrf(blas_int n, double *a) {
  blas_int info = 0;
  dpotrf_("L", &n, a, &n, &info, 1);
  return info;
}

static inline blas_int copenblas_potrs(blas_int n, blas_int nrhs, const double *a, double *b) {
  blas_int info = 0;
  dpotrs_("L", &n, &nrhs, a, &n, b, &n, &info, 1);
  return info;
}

static inline blas_int copenblas_potri(blas_int n, double *a) {
  blas_int info = 0;
  dpotri_("L", &n, a, &n, &info, 1);
  return info;
}

static inline blas_int copenblas_pocon(blas_int n, const double *a, double anorm, double *rcond,
                                       double *work, blas_int *iwork) {
  blas_int info = 0;
  dpocon_("L", &n, a, &n, &anorm, rcond, work, iwork, &info, 1);
  return info;
}

static inline blas_int copenblas_geqrf(blas_int m, blas_int n, double *a, double *tau,
                                       double *work, blas_int lwork) {
  blas_int info = 0;
  dgeqrf_(&m, &n, a, &m, tau, work, &lwork, &info);
  return info;
}

static inline blas_int copenblas_trcon(blas_int n, const double *a, double *rcond, double *work,
                                       blas_int *iwork) {
  blas_int info = 0;
  dtrcon_("1", "U", "N", &n, a, &n, rcond, work, iwork, &info, 1, 1, 1);
  return info;
}

static inline blas_int copenblas_trtrs(blas_int n, blas_int nrhs, const double *a, double *b) {
  blas_int info = 0;
  dtrtrs_("U", "N", "N", &n, &nrhs, a, &n, b, &n, &info, 1, 1, 1);
  return info;
}

static inline blas_int copenblas_gelsd(blas_int m, blas_int n, double *a, double *b, blas_int ldb,
                                       double *s, double rcond, blas_int *rank, double *work,
                                       blas_int lwork, blas_int *iwork) {
  blas_int info = 0, nrhs = 1;
  dgelsd_(&m, &n, &nrhs, a, &m, b, &ldb, s, &rcond, rank, work, &lwork, iwork, &info);
  return info;
}

static inline blas_int copenblas_syevd(blas_int n, double *a, double *w, double *work,
                                       blas_int lwork, blas_int *iwork, blas_int liwork) {
  blas_int info = 0;
  dsyevd_("V", "L", &n, a, &n, w, work, &lwork, iwork, &liwork, &info, 1, 1);
  return info;
}

#pragma clang assume_nonnull end

#endif
