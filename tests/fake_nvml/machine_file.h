/* The machine file of the fake driver: text and numbers by key, read again when it changes. */
#ifndef MACHINE_FILE_H
#define MACHINE_FILE_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

typedef unsigned int u32;
typedef unsigned long long u64;

static pthread_mutex_t file_lock = PTHREAD_MUTEX_INITIALIZER;
static char *file_text;
static struct stat file_stat;

static int same_file(const struct stat *a, const struct stat *b) {
  return a->st_ino == b->st_ino && a->st_size == b->st_size &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void refresh_file(void) {
  const char *path = getenv("FAKE_NVML");
  struct stat found;
  if (!path || stat(path, &found)) return;
  if (file_text && same_file(&found, &file_stat)) return;
  FILE *file = fopen(path, "r");
  if (!file) return;
  char *text = malloc(found.st_size + 2);
  size_t length = fread(text + 1, 1, found.st_size, file);
  fclose(file);
  text[0] = '\n'; /* so that every key stands behind a newline */
  text[length + 1] = 0;
  free(file_text);
  file_text = text;
  file_stat = found;
}

static int read_value_file(char *value, size_t size) {
  FILE *file = fopen(value + 1, "r");
  if (!file) return 0;
  value[fread(value, 1, size - 1, file)] = 0;
  value[strcspn(value, "\r\n")] = 0;
  fclose(file);
  return 1;
}

static int find_text(const char *key, char *value, size_t size) {
  char line_start[300];
  snprintf(line_start, sizeof line_start, "\n%s=", key);
  pthread_mutex_lock(&file_lock);
  refresh_file();
  char *at = file_text ? strstr(file_text, line_start) : NULL;
  if (at) {
    at += strlen(line_start);
    size_t length = strcspn(at, "\r\n");
    if (length >= size) length = size - 1;
    memcpy(value, at, length);
    value[length] = 0;
  }
  pthread_mutex_unlock(&file_lock);
  if (!at) return 0;
  return value[0] == '@' ? read_value_file(value, size) : 1;
}

static double first_init_seconds;

static double now_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static int find_number(const char *key, u64 *number) {
  char value[256];
  double from, to, seconds;
  if (!find_text(key, value, sizeof value)) return 0;
  if (sscanf(value, "ramp:%lf:%lf:%lf", &from, &to, &seconds) == 3) {
    double share = seconds > 0 ? (now_seconds() - first_init_seconds) / seconds : 1;
    *number = (u64)(from + (to - from) * (share > 1 ? 1 : share));
  } else {
    *number = strtoull(value, NULL, 0);
  }
  return 1;
}

static u64 number_or(const char *key, u64 fallback) {
  u64 number;
  return find_number(key, &number) ? number : fallback;
}

#endif
