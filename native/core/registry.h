// Factories under the reference's target strings.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "object.h"
#include "value.h"

namespace ldm {

using Factory = std::function<std::shared_ptr<Object>(const Value& params)>;

/// Adds a factory at start-up; use the macro below.
bool registerFactory(const std::string& target, Factory factory);
std::vector<std::string> registeredTargets();

/// Creates what `target` names. `params` holds every option: lib/config fills in the reference's defaults.
std::shared_ptr<Object> create(const std::string& target, const Value& params);

/// Creates from an official `{target, params}` node; the result must be a T.
template <class T>
std::shared_ptr<T> createFromConfig(const Value& config) {
  const Value& params = config.get("params");
  auto made = create(config.string("target"), params.isNull() ? Value(Map{}) : params);
  auto typed = std::dynamic_pointer_cast<T>(made);
  if (!typed)
    throw LdmError("ERR_INVALID_ARGUMENT", "'" + config.string("target") + "' is not of the kind that is needed here");
  return typed;
}

}  // namespace ldm

#define LDM_CONCAT_(a, b) a##b
#define LDM_CONCAT(a, b) LDM_CONCAT_(a, b)
/// REGISTER("ldm.models.autoencoder.AutoencoderKL", AutoencoderKL): the class is constructible from `const Value&
/// params`.
#define REGISTER(target, Class)                                                    \
  static const bool LDM_CONCAT(registered_, __COUNTER__) = ::ldm::registerFactory( \
      target,                                                                      \
      [](const ::ldm::Value& params) -> std::shared_ptr<::ldm::Object> { return std::make_shared<Class>(params); })
