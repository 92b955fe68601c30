// simdjson behind a C interface: a document becomes one flat array of nodes in document order.
#ifndef GLIDEPATH_CSIMDJSON_H
#define GLIDEPATH_CSIMDJSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gp_json_type {
  GP_JSON_NULL = 0,
  GP_JSON_BOOL = 1,
  GP_JSON_INT64 = 2,
  GP_JSON_UINT64 = 3,
  GP_JSON_DOUBLE = 4,
  GP_JSON_STRING = 5,
  GP_JSON_ARRAY = 6,
  GP_JSON_OBJECT = 7,
} gp_json_type;

typedef enum gp_json_status {
  GP_JSON_OK = 0,
  GP_JSON_MALFORMED = 1,
  GP_JSON_NOT_UTF8 = 2,
  GP_JSON_BAD_NUMBER = 3,
  GP_JSON_TOO_DEEP = 4,
  GP_JSON_TOO_LARGE = 5,
} gp_json_status;

/// One value. Its members or elements follow it; `next` is the index behind its last descendant.
typedef struct gp_json_node {
  /// The member's unescaped name; NULL in arrays and at the root.
  const uint8_t *key;
  /// Unescaped UTF-8 of a string; of a member named `raw_key`, its JSON text.
  const uint8_t *text;
  uint32_t key_length;
  uint32_t text_length;
  /// The bits of an int64, uint64 or double; 0 or 1 for a boolean.
  uint64_t bits;
  uint32_t next;
  uint32_t type;
} gp_json_node;

typedef struct gp_json_parser gp_json_parser;

/// A parser with its buffers, to be reused; NULL when memory is short.
gp_json_parser *gp_json_create(void);
void gp_json_destroy(gp_json_parser *parser);

/// Parses one document of at most 64 MiB and 64 levels. The nodes live until the next call.
///
/// The value of a top-level member named `raw_key` (which may be NULL) keeps its JSON text,
/// minified, in `text`.
gp_json_status gp_json_parse(gp_json_parser *parser, const uint8_t *bytes, size_t length,
                             const char *raw_key, const gp_json_node **nodes, size_t *count);

#ifdef __cplusplus
}
#endif

#endif
