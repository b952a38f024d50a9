// Anything that JavaScript may hold by a handle and call by a method name.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "error.h"

namespace ldm {

class Value;

/// Base of modules, optimizers, samplers and the like. Derived classes announce methods in their constructor:
/// `method("encode", [this](const Value& args) -> Value { ... });` and JavaScript calls them by name. A method runs on
/// the executor thread inside a JobContext (see context.h).
class Object : public std::enable_shared_from_this<Object> {
 public:
  using Method = std::function<Value(const Value& args)>;

  Object();
  virtual ~Object();
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  Value call(const std::string& name, const Value& args);
  bool hasMethod(const std::string& name) const;
  std::vector<std::string> methodNames() const;

 protected:
  void method(std::string name, Method fn);

 private:
  std::vector<std::pair<std::string, Method>> methods_;
};

}  // namespace ldm
