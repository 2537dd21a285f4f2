/* What the example uses of Zephyr: enough to check its syntax and types, and no more. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#define CONFIG_BT_DEVICE_NAME "img2imu-zephyr"
#define CONFIG_SYS_CLOCK_TICKS_PER_SEC 32768
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define CLAMP(value, low, high) ((value) < (low) ? (low) : (value) > (high) ? (high) : (value))
typedef struct { int64_t ticks; } k_timeout_t;
#define K_FOREVER ((k_timeout_t){-1})
#define K_USEC(us) ((k_timeout_t){us})
struct k_mutex { int unused; };
#define K_MUTEX_DEFINE(name) struct k_mutex name
int k_mutex_lock(struct k_mutex *mutex, k_timeout_t timeout);
int k_mutex_unlock(struct k_mutex *mutex);
struct k_timer { int unused; };
void k_timer_init(struct k_timer *timer, void (*expired)(struct k_timer *), void (*stopped)(struct k_timer *));
void k_timer_start(struct k_timer *timer, k_timeout_t first, k_timeout_t period);
uint32_t k_timer_status_sync(struct k_timer *timer);
int64_t k_uptime_ticks(void);
struct k_work { void (*handler)(struct k_work *work); };
#define K_WORK_DEFINE(name, function) struct k_work name = {function}
int k_work_submit(struct k_work *work);
