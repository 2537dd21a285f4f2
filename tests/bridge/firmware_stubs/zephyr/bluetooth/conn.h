#pragma once
struct bt_conn;
struct bt_conn_cb { void (*recycled)(void); };
#define BT_CONN_CB_DEFINE(name) const struct bt_conn_cb name
