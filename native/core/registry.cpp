#include "registry.h"

#include <map>

namespace ldm {

namespace {
std::map<std::string, Factory>& factories() {
  static std::map<std::string, Factory> table;
  return table;
}
}  // namespace

bool registerFactory(const std::string& target, Factory factory) {
  factories()[target] = std::move(factory);
  return true;
}

std::vector<std::string> registeredTargets() {
  std::vector<std::string> names;
  for (const auto& [name, factory] : factories()) names.push_back(name);
  return names;
}

std::shared_ptr<Object> create(const std::string& target, const Value& params) {
  auto it = factories().find(target);
  if (it == factories().end())
    throw LdmError("ERR_UNKNOWN_TARGET",
                   "The native library has no '" + target + "': this version does not implement that class");
  return it->second(params);
}

}  // namespace ldm
