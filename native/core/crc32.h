// CRC-32 of zip archives (polynomial 0xEDB88320).
#pragma once

#include <cstddef>
#include <cstdint>

namespace ldm {

/// Continues `crc` (0 at the start) over `size` bytes.
uint32_t crc32(uint32_t crc, const void* data, size_t size);

}  // namespace ldm
