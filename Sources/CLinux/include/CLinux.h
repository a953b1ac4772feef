// Constants and inline system-call wrappers that Debian 12's kernel headers or Swift's Glibc overlay lack.
// Every wrapper returns a negative errno on failure.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include "devices.h"
#include "memory.h"
#include "messages.h"
#include "sockets.h"
#include "waiting.h"
#if __has_include("namespaces.h")
#include "namespaces.h"
#endif
