// libssh2 for Swift. Function-like macros and callback setters that take void * are wrapped here.
#ifndef CLIBSSH2_SHIM_H
#define CLIBSSH2_SHIM_H

#include <libssh2.h>

#endif
