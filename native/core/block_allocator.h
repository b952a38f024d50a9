// Memory of large tensors, kept between uses. The system's allocator gives large blocks back at once, and each new one
// has to be cleared by the kernel page by page: a third of a training step of a large U-Net.
#pragma once

namespace ldm {

/// Makes libtorch take its blocks of 256 KiB and more on the CPU from here; smaller ones come from the C library as
/// before. `LDM_KEEP_MEMORY=0` in the environment leaves libtorch's allocator in its place. Once per process.
///
/// Free blocks are joined with their neighbours and given out again, the smallest that fits first. What is free and
/// still resident goes back to the system as soon as together with what is in use it would exceed the most that was in
/// use by more than 64 MiB: so peaks are those of an allocator that keeps nothing.
void installBlockAllocator();

/// Gives all free blocks back to the system: when there has been nothing to do for a while.
void releaseFreeBlocks();

}  // namespace ldm
