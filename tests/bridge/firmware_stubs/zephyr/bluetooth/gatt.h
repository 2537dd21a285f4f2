#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zephyr/bluetooth/conn.h>
struct bt_uuid { uint8_t type; };
struct bt_uuid_128 { struct bt_uuid uuid; uint8_t val[16]; };
#define BT_UUID_128_ENCODE(w32, w1, w2, w3, w48) \
    (uint8_t)(w48), (uint8_t)((w48) >> 8), (uint8_t)((w48) >> 16), (uint8_t)((w48) >> 24), \
    (uint8_t)((w48) >> 32), (uint8_t)((w48) >> 40), (uint8_t)(w3), (uint8_t)((w3) >> 8), (uint8_t)(w2), \
    (uint8_t)((w2) >> 8), (uint8_t)(w1), (uint8_t)((w1) >> 8), (uint8_t)(w32), (uint8_t)((w32) >> 8), \
    (uint8_t)((w32) >> 16), (uint8_t)((w32) >> 24)
#define BT_UUID_DECLARE_128(...) ((const struct bt_uuid *)(&(const struct bt_uuid_128){{2}, {__VA_ARGS__}}))
struct bt_gatt_attr;
typedef ssize_t (*stub_read)(struct bt_conn *, const struct bt_gatt_attr *, void *, uint16_t, uint16_t);
typedef ssize_t (*stub_write)(struct bt_conn *, const struct bt_gatt_attr *, const void *, uint16_t, uint16_t,
                              uint8_t);
struct bt_gatt_attr { const struct bt_uuid *uuid; uint32_t flags; stub_read read; stub_write write; void *data; };
struct bt_gatt_service_static { const struct bt_gatt_attr *attrs; size_t attr_count; };
enum { BT_GATT_CHRC_WRITE_WITHOUT_RESP = 4, BT_GATT_CHRC_WRITE = 8, BT_GATT_CHRC_NOTIFY = 16 };
enum { BT_GATT_PERM_NONE = 0, BT_GATT_PERM_READ = 1, BT_GATT_PERM_WRITE = 2 };
#define BT_GATT_PRIMARY_SERVICE(uuid) {uuid, 0, NULL, NULL, NULL}
#define BT_GATT_CHARACTERISTIC(uuid, properties, permissions, read, write, data) \
    {uuid, properties, NULL, NULL, NULL}, {uuid, permissions, read, write, data}
#define BT_GATT_CCC(changed, permissions) {NULL, permissions, NULL, NULL, changed}
#define BT_GATT_SERVICE_DEFINE(name, ...) \
    static const struct bt_gatt_attr stub_##name[] = {__VA_ARGS__}; \
    static const struct bt_gatt_service_static name = {stub_##name, sizeof stub_##name / sizeof stub_##name[0]}
struct bt_gatt_cb { void (*att_mtu_updated)(struct bt_conn *conn, uint16_t tx, uint16_t rx); };
void bt_gatt_cb_register(struct bt_gatt_cb *callbacks);
int bt_gatt_notify(struct bt_conn *conn, const struct bt_gatt_attr *attr, const void *data, uint16_t length);
