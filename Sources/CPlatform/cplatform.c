#define _GNU_SOURCE
#include "cplatform.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

void platform_zero(void *pointer, size_t count) {
#ifdef __APPLE__
  memset_s(pointer, count, 0, count);
#else
  explicit_bzero(pointer, count);
#endif
}

void platform_forbid_core_dumps(void) {
#ifdef __linux__
  // Ends with exec: what we start may have core dumps as the user wants them. A limit would be
  // inherited.
  prctl(PR_SET_DUMPABLE, 0);
#else
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
#endif
}

// Signals

static int signal_pipe[2] = {-1, -1};

static void report_signal(int signal_number) {
  int saved = errno;
  unsigned char byte = (unsigned char)signal_number;
  // A full pipe already wakes the reader; nothing is lost that matters.
  ssize_t ignored = write(signal_pipe[1], &byte, 1);
  (void)ignored;
  errno = saved;
}

int platform_signal_pipe(void) {
  if (signal_pipe[0] >= 0) return signal_pipe[0];
  int ends[2];
  if (pipe(ends) != 0) return -1;
  for (int i = 0; i < 2; i++) {
    fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    fcntl(ends[i], F_SETFL, O_NONBLOCK);
  }
  signal_pipe[0] = ends[0];
  signal_pipe[1] = ends[1];
  return ends[0];
}

static int set_action(int signal_number, void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  return sigaction(signal_number, &action, NULL);
}

int platform_signal_watch(int signal_number) {
  if (platform_signal_pipe() < 0) return -1;
  return set_action(signal_number, report_signal);
}

int platform_signal_is_ignored(int signal_number) {
  struct sigaction current;
  return sigaction(signal_number, NULL, &current) == 0 && current.sa_handler == SIG_IGN;
}

int platform_signal_default(int signal_number) { return set_action(signal_number, SIG_DFL); }
int platform_signal_ignore(int signal_number) { return set_action(signal_number, SIG_IGN); }

// Terminal

static struct termios saved_terminal;
static volatile sig_atomic_t saved_terminal_descriptor = -1;

void platform_terminal_restore(void) {
  int saved = errno;
  if (saved_terminal_descriptor >= 0) {
    // A background process would be stopped by SIGTTOU here; tcsetattr from a handler must not.
    sigset_t blocked, previous;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &blocked, &previous);
    tcsetattr(saved_terminal_descriptor, TCSADRAIN, &saved_terminal);
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
  }
  errno = saved;
}

void platform_terminal_forget(void) { saved_terminal_descriptor = -1; }

static void restore_and_die(int signal_number) {
  platform_terminal_restore();
  set_action(signal_number, SIG_DFL);
  raise(signal_number);
}

int platform_terminal_save(int descriptor) {
  static int registered = 0;
  struct termios now;
  if (tcgetattr(descriptor, &now) != 0) return -1;
  saved_terminal = now;
  saved_terminal_descriptor = descriptor;
  if (!registered) {
    registered = 1;
    atexit(platform_terminal_restore);
    // Signals that nobody watches would end the process with the terminal raw.
    const int fatal[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
      struct sigaction current;
      if (sigaction(fatal[i], NULL, &current) == 0 && current.sa_handler == SIG_DFL)
        set_action(fatal[i], restore_and_die);
    }
  }
  return 0;
}

// Processes

int platform_spawn(
  pid_t *child, const char *path, char *const *arguments, char *const *environment,
  const int descriptors[3], const char *directory, int flags
) {
  return platform_spawn_with(child, path, arguments, environment, descriptors, -1, directory, flags);
}

int platform_spawn_with(
  pid_t *child, const char *path, char *const *arguments, char *const *environment,
  const int descriptors[3], int extra, const char *directory, int flags
) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int result = posix_spawn_file_actions_init(&actions);
  if (result != 0) return result;
  result = posix_spawnattr_init(&attributes);
  if (result != 0) {
    posix_spawn_file_actions_destroy(&actions);
    return result;
  }

  // First out of the way of 0 to 3, so that a descriptor given in another order survives.
  const int given[4] = {descriptors[0], descriptors[1], descriptors[2], extra};
  const int count = extra < 0 ? 3 : 4;
  int moved[4] = {-1, -1, -1, -1};
  for (int i = 0; i < count && result == 0; i++) {
    moved[i] = fcntl(given[i], F_DUPFD_CLOEXEC, 4);
    if (moved[i] < 0) result = errno;
  }
  for (int i = 0; i < count && result == 0; i++)
    result = posix_spawn_file_actions_adddup2(&actions, moved[i], i);
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
  if (result == 0) result = posix_spawn_file_actions_addclosefrom_np(&actions, count);
#endif
  if (result == 0 && directory != NULL)
    result = posix_spawn_file_actions_addchdir_np(&actions, directory);

  short spawn_flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
#ifdef POSIX_SPAWN_SETSID
  if (flags & PLATFORM_SPAWN_NEW_SESSION) spawn_flags |= POSIX_SPAWN_SETSID;
#endif
  if (flags & PLATFORM_SPAWN_NEW_GROUP) {
    spawn_flags |= POSIX_SPAWN_SETPGROUP;
    if (result == 0) result = posix_spawnattr_setpgroup(&attributes, 0);
  }
#ifdef POSIX_SPAWN_CLOEXEC_DEFAULT
  spawn_flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
#endif
  sigset_t all, none;
  sigfillset(&all);
  sigdelset(&all, SIGKILL);
  sigdelset(&all, SIGSTOP);
  // What we were started to ignore (nohup, a shell's &) is ignored by what we start; we ourselves
  // ignore none of these.
  const int kept[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
  for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
    if (platform_signal_is_ignored(kept[i])) sigdelset(&all, kept[i]);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  if (result == 0) result = posix_spawnattr_setflags(&attributes, spawn_flags);
  if (result == 0)
    result = posix_spawn(child, path, &actions, &attributes, arguments, environment);

  for (int i = 0; i < 4; i++)
    if (moved[i] >= 0) close(moved[i]);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return result;
}

int platform_wait_exit_status(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
}

int platform_wait_signal(int wait_status) {
  return WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
}

int platform_local_time(long seconds, struct platform_local_time *result) {
  time_t time = (time_t)seconds;
  struct tm fields;
  tzset();
  if (localtime_r(&time, &fields) == NULL) return -1;
  result->year = fields.tm_year + 1900;
  result->month = fields.tm_mon + 1;
  result->day = fields.tm_mday;
  result->hour = fields.tm_hour;
  result->minute = fields.tm_min;
  result->second = fields.tm_sec;
  return 0;
}
