/* $name: see $file.h. Written by `img2imu export`; changes to it are lost. C99, and C++11 too. */
#include "$file.h"

/* An interpreter reads the model where it lies, in flash, and needs it at a multiple of 16 bytes. */
#if defined(__cplusplus)
#define ALIGNED alignas(16)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define ALIGNED _Alignas(16)
#elif defined(__GNUC__)
#define ALIGNED __attribute__((aligned(16)))
#elif defined(__ICCARM__)
#define ALIGNED _Pragma("data_alignment=16")
#else
#error "say here how this compiler aligns an array to 16 bytes"
#endif

ALIGNED const uint8_t ${lower}_model[${upper}_MODEL_BYTES] = {
$model
};

const char *const ${lower}_labels[${upper}_CLASSES] = { $labels };
const char *const ${lower}_channels[${upper}_AXES] = { $channels };
$novelty
#ifdef ${upper}_GOLDEN
const $golden_type ${lower}_golden_input[${upper}_GOLDEN_WINDOWS][${upper}_INPUT_CELLS] = {
$golden_input
};
const float ${lower}_golden_scale[$golden_scales] = { $golden_scale_values };
const float ${lower}_golden_logits[${upper}_GOLDEN_WINDOWS][${upper}_CLASSES] = {
$golden_logits
};
#endif
