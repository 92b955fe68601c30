// zlib and zstd for Swift: the headers, and the macros that Swift does not import.
#ifndef GLIDEPATH_CCOMPRESSION_H
#define GLIDEPATH_CCOMPRESSION_H

#include <zlib.h>
#include <zstd.h>

/// Prepares `stream` for gzip input (RFC 1952); the window may have any legal size.
static inline int gp_inflate_init_gzip(z_stream *stream) {
  return inflateInit2(stream, 16 + MAX_WBITS);
}

#endif
