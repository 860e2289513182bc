// Nothing to call: the linker puts this target's functions between libssh2 and libcrypto
// (countermode.c).
#ifndef CCOUNTERMODE_H
#define CCOUNTERMODE_H
#endif
