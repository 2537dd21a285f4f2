"""Bluetooth Low Energy through bleak: finding devices, staying connected to them, telling what went wrong."""
