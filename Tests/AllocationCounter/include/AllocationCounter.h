// Counts what the calling thread allocates. Linking this target replaces malloc and its kin for the whole test program
// by functions that count and then call the C library's own.
#pragma once
#include <stdint.h>

/// Calls of malloc, calloc, realloc and the aligned kinds on this thread so far.
uint64_t allocation_count(void);
