// One error type for the whole addon (see docs/architecture.md, "One error path").
#pragma once

#include <stdexcept>
#include <string>

namespace ldm {

/// An error with a stable code that JavaScript sees as `LdmError.code`.
///
/// Codes used by the native side: ERR_INVALID_ARGUMENT (a value is of the wrong type, range or shape),
/// ERR_UNKNOWN_TARGET, ERR_UNKNOWN_METHOD, ERR_MISSING_KEYS (strict loading), ERR_TAPE (injected randomness does not
/// fit what was drawn), ERR_DEVICE (device not available), ERR_OUT_OF_MEMORY, ERR_DISPOSED, ERR_CLOSED, ERR_NAN,
/// ERR_FILE (an operating system call failed), ERR_ABORTED (cancelled), ERR_TORCH (anything libtorch says).
class LdmError : public std::runtime_error {
 public:
  LdmError(std::string code, const std::string& message) : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

[[noreturn]] inline void invalid(const std::string& message) { throw LdmError("ERR_INVALID_ARGUMENT", message); }

}  // namespace ldm
