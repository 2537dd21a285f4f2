#pragma once
struct bt_conn;
