// The few things that Swift cannot do, or not safely, with the C library directly.
#ifndef CPLATFORM_H
#define CPLATFORM_H

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

#pragma clang assume_nonnull begin

/// Overwrites memory in a way the optimiser may not remove.
void platform_zero(void *pointer, size_t count);

/// No core files and no ptrace by other processes of the user: this process holds keys and tokens.
void platform_forbid_core_dumps(void);

/// Starts the pipe that signal handlers write their signal's number to, one byte each.
/// Returns the descriptor to read from, or -1 with errno. A second call returns the same one.
int platform_signal_pipe(void);

/// Lets `signal_number` be reported through the pipe instead of its default action.
/// Returns 0, or -1 with errno.
int platform_signal_watch(int signal_number);

/// Restores the default action of `signal_number`.
int platform_signal_default(int signal_number);

/// Ignores `signal_number`.
int platform_signal_ignore(int signal_number);

/// Whether `signal_number` is ignored, as nohup leaves SIGHUP to its child.
int platform_signal_is_ignored(int signal_number);

/// Keeps the terminal's settings, to be restored by platform_terminal_restore, at exit, and
/// before a fatal signal ends the process. Returns 0, or -1 with errno.
int platform_terminal_save(int descriptor);

/// Sets what platform_terminal_save kept, if anything; async-signal-safe.
void platform_terminal_restore(void);

/// Restores nothing from now on: the descriptor given to platform_terminal_save is being closed.
void platform_terminal_forget(void);

/// What platform_spawn does besides starting the program.
enum {
  PLATFORM_SPAWN_NEW_SESSION = 1,   // setsid: no controlling terminal
  PLATFORM_SPAWN_NEW_GROUP = 2,     // setpgid: a process group of its own, not the terminal's
};

/// Starts a program with exactly the three given descriptors as 0, 1 and 2; every other
/// descriptor of this process is closed in it. Signals have their default actions in it, but SIGHUP,
/// SIGINT, SIGQUIT and SIGTERM stay ignored where they are, as by nohup. `directory` may be null.
/// Returns 0, or the errno of what failed (in the child too).
int platform_spawn(
  pid_t *child, const char *path, char *_Nullable const *_Nonnull arguments,
  char *_Nullable const *_Nonnull environment, const int descriptors[_Nonnull 3],
  const char *_Nullable directory, int flags);

/// The same, with `extra` as descriptor 3; -1 gives none.
int platform_spawn_with(
  pid_t *child, const char *path, char *_Nullable const *_Nonnull arguments,
  char *_Nullable const *_Nonnull environment, const int descriptors[_Nonnull 3], int extra,
  const char *_Nullable directory, int flags);

/// The exit status in a wait status, or -1 when a signal ended the process.
int platform_wait_exit_status(int wait_status);

/// The signal that ended the process, or 0.
int platform_wait_signal(int wait_status);

/// A point in time in the user's time zone, as the calendar shows it.
struct platform_local_time {
  int year, month, day, hour, minute, second;  // month 1-12, year as written
};

/// Returns 0, or -1 where the C library cannot tell.
int platform_local_time(long seconds, struct platform_local_time *result);

#pragma clang assume_nonnull end

#endif
