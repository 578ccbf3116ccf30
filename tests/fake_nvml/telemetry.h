/* What changes while a GPU of the fake driver works, and how its GPUs are linked. */
#ifndef TELEMETRY_H
#define TELEMETRY_H

#include "device.h"

/* ---- Load, heat, power, clocks --------------------------------------------------------------- */

typedef struct { u32 gpu, memory; } Utilization;
Result nvmlDeviceGetUtilizationRates(Device *d, Utilization *rates) {
  CHECK(d);
  if (d->mig >= 0 || device_number_or(d, "mig", 0)) return UNSUPPORTED;
  rates->memory = (u32)device_number_or(d, "memutil", 0);
  return u32_answer(d, "util", &rates->gpu);
}
Result nvmlDeviceGetTemperature(Device *d, u32 sensor, u32 *celsius) {
  CHECK(d);
  return sensor ? INVALID : u32_answer(d, "temp", celsius);
}
typedef struct { u32 version; int sensor, celsius; } TemperatureV;
Result nvmlDeviceGetTemperatureV(Device *d, TemperatureV *temperature) {
  CHECK(d);
  return u32_answer(d, "temp", (u32 *)&temperature->celsius);
}
Result nvmlDeviceGetTemperatureThreshold(Device *d, u32 kind, u32 *celsius) {
  CHECK(d);
  char name[20];
  snprintf(name, sizeof name, "tempmax.%u", kind);
  return u32_answer(d, name, celsius);
}
U32_CALL(nvmlDeviceGetPowerUsage, "power")
U32_CALL(nvmlDeviceGetEnforcedPowerLimit, "plimit")
U32_CALL(nvmlDeviceGetPowerManagementLimit, "plimit")
U32_CALL(nvmlDeviceGetPowerManagementDefaultLimit, "pmax")
U64_CALL(nvmlDeviceGetTotalEnergyConsumption, "energy")
U32_CALL(nvmlDeviceGetFanSpeed, "fan")
U32_CALL(nvmlDeviceGetPersistenceMode, "persistence")
U32_CALL(nvmlDeviceGetPerformanceState, "pstate")
U32_CALL(nvmlDeviceGetComputeMode, "computemode")
U64_CALL(nvmlDeviceGetCurrentClocksThrottleReasons, "throttle")
U64_CALL(nvmlDeviceGetCurrentClocksEventReasons, "throttle")

enum { MEMORY_CLOCK = 2 };
Result nvmlDeviceGetClockInfo(Device *d, u32 clock, u32 *mhz) {
  CHECK(d);
  return u32_answer(d, clock == MEMORY_CLOCK ? "memclock" : "sm", mhz);
}
Result nvmlDeviceGetMaxClockInfo(Device *d, u32 clock, u32 *mhz) {
  CHECK(d);
  return u32_answer(d, clock == MEMORY_CLOCK ? "memclockmax" : "smmax", mhz);
}

/* ---- Links between GPUs ---------------------------------------------------------------------- */

static Result pcie_link(Device *d, int want_width, u32 *out) {
  char value[16];
  u32 generation, width;
  if (!device_text(gpu_of(d), "pcie", value, sizeof value)) return UNSUPPORTED;
  if (sscanf(value, "%ux%u", &generation, &width) != 2) return UNSUPPORTED;
  *out = want_width ? width : generation;
  return OK;
}
#define PCIE_CALL(FUNCTION, WANT_WIDTH) \
  Result FUNCTION(Device *d, u32 *out) { CHECK(d); return pcie_link(d, WANT_WIDTH, out); }
PCIE_CALL(nvmlDeviceGetCurrPcieLinkGeneration, 0)
PCIE_CALL(nvmlDeviceGetMaxPcieLinkGeneration, 0)
PCIE_CALL(nvmlDeviceGetCurrPcieLinkWidth, 1)
PCIE_CALL(nvmlDeviceGetMaxPcieLinkWidth, 1)

Result nvmlDeviceGetPcieThroughput(Device *d, u32 received, u32 *kib_per_second) {
  CHECK(d);
  return u32_answer(d, received ? "pcierx" : "pcietx", kib_per_second);
}
Result nvmlDeviceGetNvLinkState(Device *d, u32 link, u32 *active) {
  CHECK(d);
  u64 links;
  if (!device_number(d, "nvlinks", &links)) return UNSUPPORTED;
  if (link >= 18) return INVALID;
  *active = link < links;
  return OK;
}

static void pair_key(const char *name, Device *a, Device *b, char *key, size_t size) {
  int low = a->gpu < b->gpu ? a->gpu : b->gpu, high = a->gpu < b->gpu ? b->gpu : a->gpu;
  snprintf(key, size, "%s.%d.%d", name, low, high);
}
Result nvmlDeviceGetTopologyCommonAncestor(Device *d, Device *other, u32 *level) {
  CHECK(d);
  char key[40];
  u64 number;
  pair_key("topo", d, other, key, sizeof key);
  if (!find_number(key, &number)) return UNSUPPORTED;
  *level = (u32)number;
  return OK;
}
Result nvmlDeviceGetP2PStatus(Device *d, Device *other, u32 capability, u32 *status) {
  (void)capability;
  CHECK(d);
  char key[40];
  pair_key("p2p", d, other, key, sizeof key);
  *status = number_or(key, 0) ? 0 : 5; /* 5: not supported between these two */
  return OK;
}

#endif
