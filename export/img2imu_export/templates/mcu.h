/* $name: $description
 *
 * Written by `img2imu export`; changes to it are lost. Licence of the weights: $license.
 *
 * With TensorFlow Lite for Microcontrollers, in C++:
 *
 *     #include "$file.h"
 *     alignas(16) static uint8_t arena[${upper}_ARENA_BYTES];
 *     static tflite::MicroMutableOpResolver<${upper}_OPERATORS> resolver;
 *     ${upper}_ADD_OPERATORS(resolver);
 *     static tflite::MicroInterpreter network(
 *         tflite::GetModel(${lower}_model), resolver, arena, sizeof(arena));
 *     network.AllocateTensors();
 *     ... write ${upper}_INPUT_CELLS floats to network.input(0)->data.f ...
 *     network.Invoke();
 *     const float *logits = network.output(${upper}_LOGITS)->data.f;
 *     const float *embedding = network.output(${upper}_EMBEDDING)->data.f;
 *
$input_text
 *
 * Decisions: scores are softmax(logits / ${upper}_TEMPERATURE); ${lower}_labels names them, in order. Scores are
 * averaged from window to window: mean = ${upper}_SMOOTHING * mean + (1 - ${upper}_SMOOTHING) * scores. A label
 * takes over once it leads the current one by ${upper}_MARGIN.
$novelty_text
 *
 * Memory: $arena_text
 *
 * Self-test: compile $file.c with ${upper}_GOLDEN defined. For each of ${upper}_GOLDEN_WINDOWS windows, input cell i
 * is ${lower}_golden_input[w][i] * $golden_scale; the logits must come within
 * ${upper}_GOLDEN_TOLERANCE of ${lower}_golden_logits[w].
 */
#ifndef IMG2IMU_${upper}_H
#define IMG2IMU_${upper}_H

#include <stddef.h>
#include <stdint.h>

#define ${upper}_NAME $name_string
#define ${upper}_LICENSE $license_string
#define ${upper}_QUANTISATION $quantisation_string
/* Of ${lower}_model, as in the model card. */
#define ${upper}_SHA256 "$sha256"
#define ${upper}_MODEL_BYTES ${model_bytes}u

/* What it is fed. */
#define ${upper}_RATE_HZ ${rate}f
#define ${upper}_AXES $axes
#define ${upper}_WINDOW_SAMPLES $window
#define ${upper}_HOP_SAMPLES $hop
#define ${upper}_INPUT_SHAPE { $input_shape }
#define ${upper}_INPUT_CELLS $input_cells
#define ${upper}_INPUT_IS_SAMPLES $is_samples
/* Cells are float32, as the outputs are: the graph quantises inside. */

/* What it says: indices of its outputs, and their lengths. */
#define ${upper}_LOGITS 0
#define ${upper}_CLASSES $classes
#define ${upper}_EMBEDDING 1
#define ${upper}_EMBEDDING_SIZE $embedding

#define ${upper}_TEMPERATURE ${temperature}f
#define ${upper}_SMOOTHING ${smoothing}f
#define ${upper}_MARGIN ${margin}f
#define ${upper}_MIN_COVERAGE ${min_coverage}f
$novelty_define
$arena_define
#define ${upper}_OPERATORS $operators
#define ${upper}_ADD_OPERATORS(resolver) \
    do { \
$add_operators
    } while (0)

#ifdef __cplusplus
extern "C" {
#endif

extern const uint8_t ${lower}_model[${upper}_MODEL_BYTES];
extern const char *const ${lower}_labels[${upper}_CLASSES];
extern const char *const ${lower}_channels[${upper}_AXES];
$novelty_declare
#ifdef ${upper}_GOLDEN
#define ${upper}_GOLDEN_WINDOWS $golden_windows
#define ${upper}_GOLDEN_TOLERANCE ${tolerance}f
extern const $golden_type ${lower}_golden_input[${upper}_GOLDEN_WINDOWS][${upper}_INPUT_CELLS];
extern const float ${lower}_golden_scale[$golden_scales];
extern const float ${lower}_golden_logits[${upper}_GOLDEN_WINDOWS][${upper}_CLASSES];
#endif

#ifdef __cplusplus
}
#endif

#endif
