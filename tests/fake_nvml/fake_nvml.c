/* Fake libnvidia-ml.so.1: a scripted NVIDIA driver, so that tests run the real pynvml.
 *
 *   gcc -shared -fPIC -O1 -Wl,-soname,libnvidia-ml.so.1 -o DIR/libnvidia-ml.so.1 fake_nvml.c
 *   FAKE_NVML=machine.txt LD_LIBRARY_PATH=DIR python ...
 *
 * The file named by FAKE_NVML holds `key=value` lines and '#' comments. It is read again whenever
 * it changes, so a test moves a machine by replacing the file. Where a key stands twice, the first
 * counts. A key that is absent makes its call answer 3 (not supported), as real boards do.
 *
 *   driver=580.95.05   cuda=13000   nvml=13.580.95.05   init.error=9   gpus=2
 *   gpu.0.name=NVIDIA H100 80GB HBM3   gpu.0.uuid=GPU-...   gpu.0.bus=00000000:17:00.0
 *   gpu.0.total=85520809984   gpu.0.reserved=...   gpu.0.used=...    bytes
 *   gpu.0.used=@PATH              the value is read from that file
 *   gpu.0.used=ramp:A:B:SECONDS   from A to B, counted from the process's first init, then B
 *   gpu.0.util=97 .memutil=40 .temp=61 .power=310000 (mW) .plimit=700000 .pmax=700000 .fan=30
 *   gpu.0.cc=9.0 .sm=1980 .memclock=2619 (MHz) .smmax= .memclockmax= .throttle=4 (mask) .ecc=1
 *   gpu.0.numa=0 .pcie=5x16 .nvlinks=18   p2p.0.1=1   topo.0.1=10
 *   gpu.0.proc.0=PID:BYTES[:GI:CI]   compute process; BYTES `na`: the driver cannot say
 *   gpu.0.gfx.0=PID:BYTES            graphics process       proc.PID.name=/usr/bin/python
 *   gpu.0.mig=1   gpu.0.mig.0.name= .uuid=MIG-... .total= .used= .gi=1 .ci=0 .proc.0=...
 *   gpu.0.error=15                            every call on GPU 0 answers 15 (GPU is lost)
 *   gpu.0.error.nvmlDeviceGetPowerUsage=3     one call on GPU 0 (3: not supported)
 *   error.nvmlDeviceGetMemoryInfo_v2=13       one call on every GPU (13: not in this driver)
 */
#define _GNU_SOURCE
#include "device.h"
#include "telemetry.h"

/* ---- The driver ----------------------------------------------------------------------------- */

Result nvmlInitWithFlags(u32 flags) {
  (void)flags;
  if (!first_init_seconds) first_init_seconds = now_seconds();
  u64 error = number_or("init.error", OK);
  if (error) return (Result)error;
  for (int gpu = 0; gpu < MAX_GPUS; gpu++)
    for (int slot = 0; slot <= MAX_MIG; slot++) devices[gpu][slot] = (Device){gpu, slot - 1};
  init_count++;
  return OK;
}
Result nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
Result nvmlInit(void) { return nvmlInitWithFlags(0); }

Result nvmlShutdown(void) {
  if (!init_count) return UNINITIALIZED;
  init_count--;
  return OK;
}

const char *nvmlErrorString(Result result) {
  switch (result) {
    case 0: return "Success";
    case 1: return "Uninitialized";
    case 2: return "Invalid Argument";
    case 3: return "Not Supported";
    case 4: return "Insufficient Permissions";
    case 6: return "Not Found";
    case 7: return "Insufficient Size";
    case 9: return "Driver Not Loaded";
    case 10: return "Timeout";
    case 12: return "NVML Shared Library Not Found";
    case 13: return "Function Not Found";
    case 15: return "GPU is lost";
    case 16: return "GPU requires reset";
    case 18: return "Driver/library version mismatch";
    case 999: return "Unknown Error";
    default: return "Scripted Error";
  }
}

static Result system_text(const char *key, char *out, u32 size, const char *fallback) {
  if (!init_count) return UNINITIALIZED;
  if (!find_text(key, out, size)) snprintf(out, size, "%s", fallback);
  return OK;
}
Result nvmlSystemGetDriverVersion(char *out, u32 size) {
  return system_text("driver", out, size, "580.95.05");
}
Result nvmlSystemGetNVMLVersion(char *out, u32 size) {
  return system_text("nvml", out, size, "13.580.95.05");
}
Result nvmlSystemGetCudaDriverVersion_v2(int *version) {
  if (!init_count) return UNINITIALIZED;
  *version = (int)number_or("cuda", 13000);
  return OK;
}
Result nvmlSystemGetCudaDriverVersion(int *version) {
  return nvmlSystemGetCudaDriverVersion_v2(version);
}
Result nvmlSystemGetProcessName(u32 pid, char *out, u32 size) {
  char key[64];
  if (!init_count) return UNINITIALIZED;
  snprintf(key, sizeof key, "proc.%u.name", pid);
  return find_text(key, out, size) ? OK : NOT_FOUND;
}

/* ---- Finding a GPU --------------------------------------------------------------------------- */

Result nvmlDeviceGetCount_v2(u32 *count) {
  if (!init_count) return UNINITIALIZED;
  Result error = (Result)number_or("error.nvmlDeviceGetCount_v2", OK);
  if (error) return error;
  *count = gpu_count();
  return OK;
}
Result nvmlDeviceGetCount(u32 *count) { return nvmlDeviceGetCount_v2(count); }

Result nvmlDeviceGetHandleByIndex_v2(u32 index, Device **out) {
  if (!init_count) return UNINITIALIZED;
  if (index >= gpu_count()) return INVALID;
  Device *d = &devices[index][0];
  CHECK(d);
  *out = d;
  return OK;
}

static Result find_device(const char *name, const char *wanted, int slots, Device **out) {
  char value[100];
  if (!init_count) return UNINITIALIZED;
  for (u32 gpu = 0; gpu < gpu_count(); gpu++)
    for (int slot = 0; slot < slots; slot++) {
      Device *d = &devices[gpu][slot];
      if (!device_text(d, name, value, sizeof value) || strcasecmp(value, wanted)) continue;
      *out = d;
      return OK;
    }
  return NOT_FOUND;
}
Result nvmlDeviceGetHandleByUUID(const char *uuid, Device **out) {
  return find_device("uuid", uuid, MAX_MIG + 1, out);
}
Result nvmlDeviceGetHandleByPciBusId_v2(const char *bus, Device **out) {
  return find_device("bus", bus, 1, out);
}

/* ---- What a GPU is --------------------------------------------------------------------------- */

TEXT_CALL(nvmlDeviceGetName, "name")
TEXT_CALL(nvmlDeviceGetUUID, "uuid")
TEXT_CALL(nvmlDeviceGetSerial, "serial")
U32_CALL(nvmlDeviceGetMemoryBusWidth, "buswidth")
U32_CALL(nvmlDeviceGetNumGpuCores, "cores")
U32_CALL(nvmlDeviceGetArchitecture, "arch")
U32_CALL(nvmlDeviceGetNumaNodeId, "numa")

Result nvmlDeviceGetIndex(Device *d, u32 *index) {
  CHECK(d);
  *index = (u32)(d->mig < 0 ? d->gpu : d->mig);
  return OK;
}
Result nvmlDeviceGetMinorNumber(Device *d, u32 *number) {
  CHECK(d);
  *number = (u32)d->gpu;
  return OK;
}
Result nvmlDeviceGetCudaComputeCapability(Device *d, int *major, int *minor) {
  CHECK(d);
  char value[32];
  if (!device_text(gpu_of(d), "cc", value, sizeof value)) return UNSUPPORTED;
  return sscanf(value, "%d.%d", major, minor) == 2 ? OK : UNSUPPORTED;
}
Result nvmlDeviceGetEccMode(Device *d, u32 *current, u32 *pending) {
  CHECK(d);
  Result result = u32_answer(d, "ecc", current);
  if (result == OK) *pending = *current;
  return result;
}

typedef struct { char legacy_id[16]; u32 domain, bus, device, id, subsystem; char bus_id[32]; } Pci;
Result nvmlDeviceGetPciInfo_v3(Device *d, Pci *pci) {
  CHECK(d);
  char bus[32];
  if (!device_text(gpu_of(d), "bus", bus, sizeof bus)) return UNSUPPORTED;
  memset(pci, 0, sizeof *pci);
  strcpy(pci->bus_id, bus);
  if (strlen(bus) > 4) snprintf(pci->legacy_id, sizeof pci->legacy_id, "%.15s", bus + 4);
  sscanf(bus, "%x:%x:%x", &pci->domain, &pci->bus, &pci->device);
  pci->id = (u32)device_number_or(d, "pciid", 0);
  return OK;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

typedef struct { u64 total, free, used; } MemoryV1;
typedef struct { u32 version; u64 total, reserved, free, used; } MemoryV2;

static Result read_memory(Device *d, MemoryV2 *memory) {
  if (!device_number(d, "total", &memory->total)) return UNSUPPORTED;
  memory->reserved = device_number_or(d, "reserved", 0);
  u64 most = memory->total - memory->reserved;
  u64 used = device_number_or(d, "used", 0);
  memory->used = used < most ? used : most;
  memory->free = most - memory->used;
  return OK;
}
Result nvmlDeviceGetMemoryInfo(Device *d, MemoryV1 *memory) {
  CHECK(d);
  MemoryV2 read;
  Result result = read_memory(d, &read);
  /* Version 1 counts the driver's reserve as used, as the real driver does. */
  if (result == OK) *memory = (MemoryV1){read.total, read.free, read.used + read.reserved};
  return result;
}
Result nvmlDeviceGetMemoryInfo_v2(Device *d, MemoryV2 *memory) {
  CHECK(d);
  return memory->version == 0x02000028 ? read_memory(d, memory) : VERSION_MISMATCH;
}

/* ---- Processes ------------------------------------------------------------------------------- */

typedef struct { u32 pid; u64 used; u32 gpu_instance, compute_instance; } Process;

static Process parse_process(const char *line) {
  Process process = {0, 0, ~0u, ~0u};
  char bytes[32] = "";
  sscanf(line, "%u:%31[^:]:%u:%u", &process.pid, bytes, &process.gpu_instance,
         &process.compute_instance);
  process.used = strcmp(bytes, "na") ? strtoull(bytes, NULL, 0) : ~0ull;
  return process;
}
static Result list_processes(Device *d, const char *kind, u32 *count, Process *out) {
  u32 found = 0, room = *count;
  char name[32], line[80];
  for (;; found++) {
    snprintf(name, sizeof name, "%s.%u", kind, found);
    if (!device_text(d, name, line, sizeof line)) break;
    if (out && found < room) out[found] = parse_process(line);
  }
  *count = found;
  return found > room ? TOO_SMALL : OK;
}
#define PROCESS_CALL(FUNCTION, KIND) \
  Result FUNCTION(Device *d, u32 *count, Process *out) { \
    CHECK(d); return list_processes(d, KIND, count, out); }
PROCESS_CALL(nvmlDeviceGetComputeRunningProcesses_v2, "proc")
PROCESS_CALL(nvmlDeviceGetComputeRunningProcesses_v3, "proc")
PROCESS_CALL(nvmlDeviceGetGraphicsRunningProcesses_v2, "gfx")
PROCESS_CALL(nvmlDeviceGetGraphicsRunningProcesses_v3, "gfx")
PROCESS_CALL(nvmlDeviceGetMPSComputeRunningProcesses_v3, "mps")

/* ---- MIG ------------------------------------------------------------------------------------- */

U32_CALL(nvmlDeviceGetGpuInstanceId, "gi")
U32_CALL(nvmlDeviceGetComputeInstanceId, "ci")

Result nvmlDeviceGetMigMode(Device *d, u32 *current, u32 *pending) {
  CHECK(d);
  Result result = d->mig >= 0 ? UNSUPPORTED : u32_answer(d, "mig", current);
  if (result == OK) *pending = *current;
  return result;
}
Result nvmlDeviceGetMaxMigDeviceCount(Device *d, u32 *count) {
  CHECK(d);
  *count = device_number_or(d, "mig", 0) ? 7 : 0;
  return OK;
}
Result nvmlDeviceGetMigDeviceHandleByIndex(Device *d, u32 index, Device **out) {
  CHECK(d);
  char uuid[100];
  if (d->mig >= 0 || index >= MAX_MIG) return INVALID;
  Device *instance = d + 1 + index;
  if (!device_text(instance, "uuid", uuid, sizeof uuid)) return NOT_FOUND;
  *out = instance;
  return OK;
}
Result nvmlDeviceIsMigDeviceHandle(Device *d, u32 *is_mig) {
  CHECK(d);
  *is_mig = d->mig >= 0;
  return OK;
}
Result nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Device *d, Device **out) {
  CHECK(d);
  if (d->mig < 0) return INVALID;
  *out = gpu_of(d);
  return OK;
}
