#pragma once
#include <stddef.h>
#include <stdint.h>
struct bt_data { uint8_t type, data_len; const uint8_t *data; };
#define BT_DATA(type, data, length) {(type), (length), (const uint8_t *)(data)}
#define BT_DATA_BYTES(type, ...) BT_DATA(type, ((uint8_t[]){__VA_ARGS__}), sizeof((uint8_t[]){__VA_ARGS__}))
enum { BT_DATA_FLAGS = 1, BT_DATA_UUID128_ALL = 7, BT_DATA_NAME_COMPLETE = 9 };
enum { BT_LE_AD_GENERAL = 2, BT_LE_AD_NO_BREDR = 4 };
struct bt_le_adv_param { int unused; };
#define BT_LE_ADV_CONN_FAST_1 (&(const struct bt_le_adv_param){0})
int bt_enable(void (*ready)(int error));
int bt_le_adv_start(const struct bt_le_adv_param *parameters, const struct bt_data *data, size_t length,
                    const struct bt_data *response, size_t response_length);
