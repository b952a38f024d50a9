#include "value.h"

#include <cmath>
#include <sstream>

namespace ldm {

namespace {
const Value kNull;

[[noreturn]] void mismatch(const char* what, const char* expected, const Value& found) {
  invalid(std::string("Expected ") + expected + " for '" + what + "' but received " + found.describe());
}
}  // namespace

Map::Map(std::initializer_list<Item> items) {
  for (const auto& item : items) set(item.first, item.second);
}
bool Map::has(const std::string& key) const { return find(key) != nullptr; }
const Value* Map::find(const std::string& key) const {
  for (const auto& item : items_)
    if (item.first == key) return &item.second;
  return nullptr;
}
void Map::set(std::string key, Value value) {
  for (auto& item : items_)
    if (item.first == key) {
      item.second = std::move(value);
      return;
    }
  items_.emplace_back(std::move(key), std::move(value));
}
std::vector<Map::Item>::const_iterator Map::begin() const { return items_.begin(); }
std::vector<Map::Item>::const_iterator Map::end() const { return items_.end(); }
size_t Map::size() const { return items_.size(); }

Value Value::fromInts(at::IntArrayRef v) {
  List list;
  for (int64_t i : v) list.emplace_back(i);
  return list;
}
Value Value::fromTensors(const std::vector<at::Tensor>& v) {
  List list;
  for (const auto& t : v) list.emplace_back(t);
  return list;
}

std::string Value::describe() const {
  std::ostringstream out;
  if (isNull()) {
    out << "nothing";
  } else if (isBool()) {
    out << (std::get<bool>(v_) ? "true" : "false");
  } else if (isInteger()) {
    out << "the number " << std::get<int64_t>(v_);
  } else if (isNumber()) {
    out << "the number " << std::get<double>(v_);
  } else if (isString()) {
    out << "the string \"" << std::get<std::string>(v_) << "\"";
  } else if (isTensor()) {
    const auto& t = std::get<at::Tensor>(v_);
    if (!t.defined()) return "an empty tensor";
    out << "a tensor of shape " << t.sizes();
  } else if (isList()) {
    out << "a list of " << std::get<std::shared_ptr<List>>(v_)->size();
  } else if (isMap()) {
    out << "an object";
  } else {
    out << "a native object";
  }
  return out.str();
}

bool Value::asBool(const char* what) const {
  if (!isBool()) mismatch(what, "a boolean", *this);
  return std::get<bool>(v_);
}
int64_t Value::asInteger(const char* what) const {
  if (isInteger()) return std::get<int64_t>(v_);
  mismatch(what, "an integer", *this);
}
double Value::asNumber(const char* what) const {
  if (isInteger()) return static_cast<double>(std::get<int64_t>(v_));
  if (std::holds_alternative<double>(v_)) return std::get<double>(v_);
  mismatch(what, "a number", *this);
}
const std::string& Value::asString(const char* what) const {
  if (!isString()) mismatch(what, "a string", *this);
  return std::get<std::string>(v_);
}
const at::Tensor& Value::asTensor(const char* what) const {
  if (!isTensor() || !std::get<at::Tensor>(v_).defined()) mismatch(what, "a tensor", *this);
  return std::get<at::Tensor>(v_);
}
const List& Value::asList(const char* what) const {
  if (!isList()) mismatch(what, "a list", *this);
  return *std::get<std::shared_ptr<List>>(v_);
}
const Map& Value::asMap(const char* what) const {
  if (!isMap()) mismatch(what, "an object", *this);
  return *std::get<std::shared_ptr<Map>>(v_);
}
std::shared_ptr<Object> Value::asObject(const char* what) const {
  if (!isObject()) mismatch(what, "a native object", *this);
  return std::get<std::shared_ptr<Object>>(v_);
}
std::vector<int64_t> Value::asInts(const char* what) const {
  std::vector<int64_t> out;
  for (const auto& v : asList(what)) out.push_back(v.asInteger(what));
  return out;
}
std::vector<double> Value::asNumbers(const char* what) const {
  std::vector<double> out;
  for (const auto& v : asList(what)) out.push_back(v.asNumber(what));
  return out;
}
std::vector<at::Tensor> Value::asTensors(const char* what) const {
  std::vector<at::Tensor> out;
  for (const auto& v : asList(what)) out.push_back(v.asTensor(what));
  return out;
}

const Value& Value::get(const std::string& key) const {
  const Value* found = asMap(key.c_str()).find(key);
  return found ? *found : kNull;
}
at::Tensor Value::optTensor(const std::string& key) const {
  const Value& v = get(key);
  return v.isNull() ? at::Tensor() : v.asTensor(key.c_str());
}

Object::Object() = default;
Object::~Object() = default;

void Object::method(std::string name, Method fn) {
  for (auto& m : methods_)
    if (m.first == name) {
      m.second = std::move(fn);
      return;
    }
  methods_.emplace_back(std::move(name), std::move(fn));
}
bool Object::hasMethod(const std::string& name) const {
  for (const auto& m : methods_)
    if (m.first == name) return true;
  return false;
}
std::vector<std::string> Object::methodNames() const {
  std::vector<std::string> names;
  for (const auto& m : methods_) names.push_back(m.first);
  return names;
}
Value Object::call(const std::string& name, const Value& args) {
  for (auto& m : methods_)
    if (m.first == name) return m.second(args);
  std::string known;
  for (const auto& m : methods_) known += (known.empty() ? "" : ", ") + m.first;
  throw LdmError("ERR_UNKNOWN_METHOD", "There is no method '" + name + "'; known are: " + known);
}

}  // namespace ldm
