/* A driver's library that is none: boards of so many watts (FAKE_NVML_WATTS), as many as FAKE_NVML_BOARDS says, whose counter is published every
   100 ms, as an H100's is. Layouts are those of nvml.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct {
    unsigned int fieldId, scopeId;
    long long timestamp, latencyUsec;
    unsigned int valueType, nvmlReturn;
    union { double d; unsigned int ui; unsigned long ul; unsigned long long ull; long long sll; } value;
} FieldValue;

enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6 };
enum { UNSIGNED_INT = 1, UNSIGNED_LONG_LONG = 3 };

static double number(const char *name, double otherwise) { const char *text = getenv(name); return text ? atof(text) : otherwise; }
static double seconds(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
static double watts(void) { return number("FAKE_NVML_WATTS", 300); }

int nvmlInit_v2(void) { return OK; }
int nvmlShutdown(void) { return OK; }
int nvmlSystemGetDriverVersion(char *text, unsigned int n) { return snprintf(text, n, "580.159.04") < 0; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = number("FAKE_NVML_BOARDS", 1); return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) { *device = (void *)(size_t)(index + 1); return OK; }
int nvmlDeviceGetUUID(void *device, char *text, unsigned int n) { return snprintf(text, n, "GPU-%04zu", (size_t)device) < 0; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) { *device = (void *)(size_t)atoi(uuid + 4); return *device ? OK : NOT_FOUND; }
int nvmlDeviceGetName(void *device, char *text, unsigned int n) { return snprintf(text, n, "Fake Board %zu", (size_t)device) < 0; }
int nvmlDeviceGetMigMode(void *device, unsigned int *now, unsigned int *next) { return NOT_SUPPORTED; }
int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned int *mw) { *mw = 700000; return OK; }
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned int *c) { *c = 55; return OK; }
int nvmlDeviceGetClockInfo(void *device, int clock, unsigned int *mhz) { *mhz = clock == 1 ? 1980 : 7; return OK; }

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj) {
    double published = (double)(long long)(seconds() * 10) / 10;
    if (getenv("FAKE_NVML_OLD")) return NOT_SUPPORTED;
    *mj = published * watts() * 1e3 * (size_t)device;
    return OK;
}

int nvmlDeviceGetFieldValues(void *device, int n, FieldValue *all) {
    for (int i = 0; i < n; i++) {
        FieldValue *v = &all[i];
        v->nvmlReturn = OK;
        if (v->fieldId == 186) { v->valueType = UNSIGNED_INT; v->value.ui = watts() * 1e3 * (size_t)device; }
        else if (v->fieldId == 74) { v->valueType = UNSIGNED_LONG_LONG; v->value.ull = seconds() * 1e9 / 4; }
        /* Thermal slowdown by its number since driver 580.82. */
        else if (v->fieldId == 270) { v->valueType = UNSIGNED_LONG_LONG; v->value.ull = 12345; }
        else v->nvmlReturn = NOT_SUPPORTED;
    }
    return OK;
}
