/* A C library whose results are off by one unit in the last place: preloaded, it stands for the mathematics of another system.
   OFFPRINT_TEST_ULP says which way: up, down, or hash (by a hash of the arguments: one up, one down or as it is; the same arguments
   always give the same). Results that ISO C (Annex F) fixes exactly, such as exp(0) = 1, stay. At its end a process adds the names of
   the functions it called, with how often, to the file that OFFPRINT_TEST_ULP_CALLS names. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct function { const char *name; void *real; unsigned long calls; struct function *next; };
static struct function *called;

static void *real(struct function *f) {
    if (!f->real) {
        f->real = dlsym(RTLD_NEXT, f->name);
        if (!f->real) abort();
        f->next = called;
        called = f;
    }
    f->calls++;
    return f->real;
}

__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("OFFPRINT_TEST_ULP_CALLS");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file) return;
    for (struct function *f = called; f; f = f->next) fprintf(file, "%s %lu\n", f->name, f->calls);
    fclose(file);
}

/* +1, 0 or -1. */
static int step(uint64_t a, uint64_t b) {
    static const char *way;
    if (!way) way = getenv("OFFPRINT_TEST_ULP");
    if (!way || !strcmp(way, "up")) return 1;
    if (!strcmp(way, "down")) return -1;
    uint64_t h = (a ^ (b << 1 | b >> 63)) + 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 27) * 0x94d049bb133111ebu;
    return (int)((h ^ h >> 31) % 3) - 1;
}

static uint64_t bits(double x) { uint64_t b; memcpy(&b, &x, 8); return b; }
static uint64_t bitsf(float x) { uint32_t b; memcpy(&b, &x, 4); return b; }

static double moved(double y, uint64_t a, uint64_t b) {
    uint64_t u = bits(y);
    if ((u << 1) == 0 || (u << 1) >= 0xffe0000000000000u) return y; /* zero, infinite or none */
    u += (uint64_t)((u >> 63 ? -1 : 1) * step(a, b));
    memcpy(&y, &u, 8);
    return y;
}

static float movedf(float y, uint64_t a, uint64_t b) {
    uint32_t u = (uint32_t)bitsf(y);
    if ((uint32_t)(u << 1) == 0 || (uint32_t)(u << 1) >= 0xff000000u) return y;
    u += (uint32_t)((u >> 31 ? -1 : 1) * step(a, b));
    memcpy(&y, &u, 4);
    return y;
}

#define ONE(name, exact) \
    double name(double x) { \
        static struct function f = { #name, 0, 0, 0 }; \
        double y = ((double (*)(double))real(&f))(x); \
        return (exact) ? y : moved(y, bits(x), 0); \
    } \
    float name##f(float x) { \
        static struct function f = { #name "f", 0, 0, 0 }; \
        float y = ((float (*)(float))real(&f))(x); \
        return (exact) ? y : movedf(y, bitsf(x), 0); \
    }

#define TWO(name, exact) \
    double name(double x, double z) { \
        static struct function f = { #name, 0, 0, 0 }; \
        double y = ((double (*)(double, double))real(&f))(x, z); \
        return (exact) ? y : moved(y, bits(x), bits(z)); \
    } \
    float name##f(float x, float z) { \
        static struct function f = { #name "f", 0, 0, 0 }; \
        float y = ((float (*)(float, float))real(&f))(x, z); \
        return (exact) ? y : movedf(y, bitsf(x), bitsf(z)); \
    }

ONE(exp, x == 0)
ONE(exp2, x == 0)
ONE(expm1, x == 0)
ONE(log, x == 1)
ONE(log1p, x == 0)
ONE(log2, x == 1)
ONE(log10, x == 1)
ONE(sin, x == 0)
ONE(cos, x == 0)
ONE(tan, x == 0)
ONE(asin, x == 0)
ONE(acos, x == 1)
ONE(atan, x == 0)
ONE(sinh, x == 0)
ONE(cosh, x == 0)
ONE(tanh, x == 0)
ONE(cbrt, x == 0)
ONE(tgamma, x == 1)
ONE(lgamma, x == 1 || x == 2)
TWO(pow, z == 0 || x == 1)
TWO(hypot, x == 0 || z == 0)
TWO(atan2, x == 0)

double lgamma_r(double x, int *sign) {
    static struct function f = { "lgamma_r", 0, 0, 0 };
    double y = ((double (*)(double, int *))real(&f))(x, sign);
    return x == 1 || x == 2 ? y : moved(y, bits(x), 0);
}

/* Compilers make one call of two. */
void sincos(double x, double *s, double *c) { *s = sin(x); *c = cos(x); }
void sincosf(float x, float *s, float *c) { *s = sinf(x); *c = cosf(x); }
