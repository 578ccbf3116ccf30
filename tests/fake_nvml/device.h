/* The devices of the fake driver: a GPU is slot 0 of its row, its MIG instances stand after it. */
#ifndef DEVICE_H
#define DEVICE_H

#include "machine_file.h"

typedef int Result;
enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, UNSUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7,
       VERSION_MISMATCH = 25 };

enum { MAX_GPUS = 64, MAX_MIG = 16 };
typedef struct { int gpu, mig; } Device; /* mig is -1 for the GPU itself */
static Device devices[MAX_GPUS][MAX_MIG + 1];
static int init_count;

static Device *gpu_of(Device *d) { return &devices[d->gpu][0]; }

static u32 gpu_count(void) {
  u64 count = number_or("gpus", 0);
  return count > MAX_GPUS ? MAX_GPUS : (u32)count;
}

static void device_key(Device *d, const char *name, char *key, size_t size) {
  if (d->mig < 0) snprintf(key, size, "gpu.%d.%s", d->gpu, name);
  else snprintf(key, size, "gpu.%d.mig.%d.%s", d->gpu, d->mig, name);
}

static int device_text(Device *d, const char *name, char *value, size_t size) {
  char key[200];
  device_key(d, name, key, sizeof key);
  return find_text(key, value, size);
}

static int device_number(Device *d, const char *name, u64 *number) {
  char key[200];
  device_key(d, name, key, sizeof key);
  return find_number(key, number);
}

static u64 device_number_or(Device *d, const char *name, u64 fallback) {
  u64 number;
  return device_number(d, name, &number) ? number : fallback;
}

static Result scripted_error(Device *d, const char *function) {
  char key[250];
  u64 error;
  if (!init_count) return UNINITIALIZED;
  if (!d || (char *)d < (char *)devices || (char *)d >= (char *)devices + sizeof devices)
    return INVALID;
  snprintf(key, sizeof key, "gpu.%d.error", d->gpu);
  if ((error = number_or(key, OK))) return (Result)error;
  snprintf(key, sizeof key, "gpu.%d.error.%s", d->gpu, function);
  if ((error = number_or(key, OK))) return (Result)error;
  snprintf(key, sizeof key, "error.%s", function);
  return (Result)number_or(key, OK);
}

#define CHECK(d) do { Result e_ = scripted_error(d, __func__); if (e_) return e_; } while (0)

/* Most calls hand out one number of one key. */
static Result u32_answer(Device *d, const char *name, u32 *out) {
  u64 number;
  if (!device_number(d, name, &number)) return UNSUPPORTED;
  *out = (u32)number;
  return OK;
}
#define NUMBER_CALL(TYPE, CONVERT, FUNCTION, KEY) \
  Result FUNCTION(Device *d, TYPE *out) { CHECK(d); return CONVERT(d, KEY, out); }
#define U32_CALL(FUNCTION, KEY) NUMBER_CALL(u32, u32_answer, FUNCTION, KEY)

static Result u64_answer(Device *d, const char *name, u64 *out) {
  return device_number(d, name, out) ? OK : UNSUPPORTED;
}
#define U64_CALL(FUNCTION, KEY) NUMBER_CALL(u64, u64_answer, FUNCTION, KEY)

#define TEXT_CALL(FUNCTION, KEY) \
  Result FUNCTION(Device *d, char *out, u32 size) { \
    CHECK(d); return device_text(d, KEY, out, size) ? OK : UNSUPPORTED; }

#endif
