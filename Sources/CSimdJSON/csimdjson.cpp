#include "csimdjson.h"

#include <simdjson.h>

#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace dom = simdjson::dom;

namespace {

constexpr size_t kMaximumBytes = size_t(64) << 20;
constexpr size_t kMaximumDepth = 64;

const uint8_t *bytesOf(std::string_view text) {
  return reinterpret_cast<const uint8_t *>(text.data());
}

}  // namespace

struct gp_json_parser {
  dom::parser parser{kMaximumBytes};
  std::vector<gp_json_node> nodes;
  // The minified text of the member that was asked for.
  std::string raw;
  const char *rawKey = nullptr;
  int rawNode = -1;

  void append(dom::element element, std::string_view key, bool isMember, int depth);
  void appendChildren(dom::element element, int depth);
};

void gp_json_parser::append(dom::element element, std::string_view key, bool isMember,
                            int depth) {
  const size_t index = nodes.size();
  gp_json_node node{};
  node.key = isMember ? bytesOf(key) : nullptr;
  node.key_length = uint32_t(key.size());
  switch (element.type()) {
    case dom::element_type::NULL_VALUE:
      node.type = GP_JSON_NULL;
      break;
    case dom::element_type::BOOL:
      node.type = GP_JSON_BOOL;
      node.bits = element.get_bool().value_unsafe() ? 1 : 0;
      break;
    case dom::element_type::INT64:
      node.type = GP_JSON_INT64;
      node.bits = uint64_t(element.get_int64().value_unsafe());
      break;
    case dom::element_type::UINT64:
      node.type = GP_JSON_UINT64;
      node.bits = element.get_uint64().value_unsafe();
      break;
    case dom::element_type::DOUBLE: {
      const double value = element.get_double().value_unsafe();
      node.type = GP_JSON_DOUBLE;
      std::memcpy(&node.bits, &value, sizeof value);
      break;
    }
    case dom::element_type::STRING: {
      const std::string_view text = element.get_string().value_unsafe();
      node.type = GP_JSON_STRING;
      node.text = bytesOf(text);
      node.text_length = uint32_t(text.size());
      break;
    }
    case dom::element_type::ARRAY:
      node.type = GP_JSON_ARRAY;
      break;
    case dom::element_type::OBJECT:
      node.type = GP_JSON_OBJECT;
      break;
  }
  nodes.push_back(node);
  if (depth == 1 && isMember && rawKey != nullptr && key == rawKey) {
    raw = simdjson::minify(element);
    rawNode = int(index);
  }
  appendChildren(element, depth);
  nodes[index].next = uint32_t(nodes.size());
}

void gp_json_parser::appendChildren(dom::element element, int depth) {
  if (element.is_object()) {
    for (dom::key_value_pair field : element.get_object().value_unsafe()) {
      append(field.value, field.key, true, depth + 1);
    }
  } else if (element.is_array()) {
    for (dom::element child : element.get_array().value_unsafe()) {
      append(child, {}, false, depth + 1);
    }
  }
}

gp_json_parser *gp_json_create(void) { return new (std::nothrow) gp_json_parser; }

void gp_json_destroy(gp_json_parser *parser) { delete parser; }

gp_json_status gp_json_parse(gp_json_parser *parser, const uint8_t *bytes, size_t length,
                             const char *raw_key, const gp_json_node **nodes, size_t *count) {
  *nodes = nullptr;
  *count = 0;
  if (length > kMaximumBytes) return GP_JSON_TOO_LARGE;
  if (parser->parser.capacity() < length || parser->parser.capacity() == 0) {
    size_t capacity = 16384;
    while (capacity < length) capacity *= 2;
    if (parser->parser.allocate(capacity, kMaximumDepth)) return GP_JSON_TOO_LARGE;
  }
  dom::element root;
  switch (parser->parser.parse(bytes, length, true).get(root)) {
    case simdjson::SUCCESS:
      break;
    case simdjson::UTF8_ERROR:
      return GP_JSON_NOT_UTF8;
    case simdjson::NUMBER_ERROR:
      return GP_JSON_BAD_NUMBER;
    case simdjson::DEPTH_ERROR:
      return GP_JSON_TOO_DEEP;
    case simdjson::CAPACITY:
    case simdjson::MEMALLOC:
      return GP_JSON_TOO_LARGE;
    default:
      return GP_JSON_MALFORMED;
  }
  parser->nodes.clear();
  parser->rawKey = raw_key;
  parser->rawNode = -1;
  parser->append(root, {}, false, 0);
  if (parser->rawNode >= 0) {
    gp_json_node &node = parser->nodes[size_t(parser->rawNode)];
    node.text = bytesOf(parser->raw);
    node.text_length = uint32_t(parser->raw.size());
  }
  *nodes = parser->nodes.data();
  *count = parser->nodes.size();
  return GP_JSON_OK;
}
