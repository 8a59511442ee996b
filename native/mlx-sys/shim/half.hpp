// x86-64: mlx-c declares its float16 and bfloat16 functions only where the compiler has ARM's types. Here MLX's own stand in.
#pragma once
#define HAS_FLOAT16
#define HAS_BFLOAT16
#ifdef __cplusplus
#include "mlx/types/half_types.h"
using float16_t = mlx::core::float16_t;
using bfloat16_t = mlx::core::bfloat16_t;
#else
#include <stdint.h>
typedef struct { uint16_t bits; } float16_t; // bindgen reads this file as C and is told the Rust type
typedef uint16_t bfloat16_t;
#endif
