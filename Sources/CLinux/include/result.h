// What all wrappers share.
#pragma once
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/// A system call's result with the error in the value, so that Swift need not read errno after another call has set it.
static inline int linux_code(long value) { return value < 0 ? -errno : (int)value; }
