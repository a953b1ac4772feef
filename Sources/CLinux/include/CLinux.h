// Constants and inline system-call wrappers that Debian 12's kernel headers or Swift's Glibc overlay lack.
// Every wrapper returns a negative errno on failure.
// Nothing here defines _GNU_SOURCE: Swift's Glibc module is built without it, and the two would then disagree about the
// members of system structures. What Glibc hides for that reason is defined by hand.
#pragma once
#include <errno.h>
#include "batches.h"
#include "devices.h"
#include "memory.h"
#include "messages.h"
#include "programs.h"
#include "slots.h"
#include "sockets.h"
#include "waiting.h"
#if __has_include("namespaces.h")
#include "namespaces.h"
#endif
