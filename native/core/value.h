// A small tree of plain values: what crosses the boundary between JavaScript and the C++ library.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace ldm {

class Object;
class Value;

using List = std::vector<Value>;

/// An ordered string map. Order matters: logs are shown, and options echoed, in the order in which they were written.
class Map {
 public:
  using Item = std::pair<std::string, Value>;
  Map() = default;
  Map(std::initializer_list<Item> items);

  bool has(const std::string& key) const;
  /// Pointer to the value, or nullptr.
  const Value* find(const std::string& key) const;
  /// Adds or replaces.
  void set(std::string key, Value value);
  std::vector<Item>::const_iterator begin() const;
  std::vector<Item>::const_iterator end() const;
  size_t size() const;
  bool empty() const { return size() == 0; }

 private:
  std::vector<Item> items_;
};

/// null | bool | integer | number | string | tensor | native object (module, optimizer, sampler, ...) | list | map.
///
/// Readers throw LdmError(ERR_INVALID_ARGUMENT) that names the key and what was found. Readers with a key work on maps:
/// `params.integer("ch")`. A key that is absent is the same as null: `required` readers refuse it, `opt...` accept it.
class Value {
 public:
  Value() = default;
  Value(std::nullptr_t) {}
  Value(bool v) : v_(v) {}
  Value(int v) : v_(static_cast<int64_t>(v)) {}
  Value(int64_t v) : v_(v) {}
  Value(size_t v) : v_(static_cast<int64_t>(v)) {}
  Value(double v) : v_(v) {}
  Value(const char* v) : v_(std::string(v)) {}
  Value(std::string v) : v_(std::move(v)) {}
  Value(at::Tensor v) : v_(std::move(v)) {}
  Value(List v) : v_(std::make_shared<List>(std::move(v))) {}
  Value(Map v) : v_(std::make_shared<Map>(std::move(v))) {}
  template <class T, class = std::enable_if_t<std::is_base_of_v<Object, T>>>
  Value(std::shared_ptr<T> v) : v_(std::static_pointer_cast<Object>(std::move(v))) {}
  static Value fromInts(at::IntArrayRef v);
  static Value fromTensors(const std::vector<at::Tensor>& v);

  bool isNull() const { return std::holds_alternative<std::monostate>(v_); }
  bool isBool() const { return std::holds_alternative<bool>(v_); }
  bool isInteger() const { return std::holds_alternative<int64_t>(v_); }
  bool isNumber() const { return isInteger() || std::holds_alternative<double>(v_); }
  bool isString() const { return std::holds_alternative<std::string>(v_); }
  bool isTensor() const { return std::holds_alternative<at::Tensor>(v_); }
  bool isList() const { return std::holds_alternative<std::shared_ptr<List>>(v_); }
  bool isMap() const { return std::holds_alternative<std::shared_ptr<Map>>(v_); }
  bool isObject() const { return std::holds_alternative<std::shared_ptr<Object>>(v_); }
  std::string describe() const;  ///< for messages: `the string "x"`, `a tensor of shape [1, 2]`, ...

  // this value itself
  bool asBool(const char* what = "value") const;
  int64_t asInteger(const char* what = "value") const;
  double asNumber(const char* what = "value") const;
  const std::string& asString(const char* what = "value") const;
  const at::Tensor& asTensor(const char* what = "value") const;
  const List& asList(const char* what = "value") const;
  const Map& asMap(const char* what = "value") const;
  std::shared_ptr<Object> asObject(const char* what = "value") const;
  std::vector<int64_t> asInts(const char* what = "value") const;
  std::vector<double> asNumbers(const char* what = "value") const;
  std::vector<at::Tensor> asTensors(const char* what = "value") const;

  // members of a map
  const Value& get(const std::string& key) const;  ///< a null value when the key is absent
  bool has(const std::string& key) const { return !get(key).isNull(); }
  bool boolean(const std::string& key) const { return get(key).asBool(key.c_str()); }
  int64_t integer(const std::string& key) const { return get(key).asInteger(key.c_str()); }
  double number(const std::string& key) const { return get(key).asNumber(key.c_str()); }
  const std::string& string(const std::string& key) const { return get(key).asString(key.c_str()); }
  const at::Tensor& tensor(const std::string& key) const { return get(key).asTensor(key.c_str()); }
  at::Tensor optTensor(const std::string& key) const;  ///< an undefined tensor when absent
  std::vector<int64_t> ints(const std::string& key) const { return get(key).asInts(key.c_str()); }
  std::vector<double> numbers(const std::string& key) const { return get(key).asNumbers(key.c_str()); }
  std::vector<at::Tensor> tensors(const std::string& key) const { return get(key).asTensors(key.c_str()); }
  /// The native object under `key`, which must be a T.
  template <class T>
  std::shared_ptr<T> object(const std::string& key) const;

 private:
  friend class ValueCodec;
  std::variant<std::monostate, bool, int64_t, double, std::string, at::Tensor, std::shared_ptr<Object>,
               std::shared_ptr<List>, std::shared_ptr<Map>>
      v_;
};

}  // namespace ldm

#include "object.h"

namespace ldm {
template <class T>
std::shared_ptr<T> Value::object(const std::string& key) const {
  auto found = std::dynamic_pointer_cast<T>(get(key).asObject(key.c_str()));
  if (!found) throw LdmError("ERR_INVALID_ARGUMENT", "'" + key + "' is a native object of another class");
  return found;
}
}  // namespace ldm
