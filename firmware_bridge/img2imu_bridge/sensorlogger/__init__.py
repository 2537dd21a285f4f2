"""The Sensor Logger app: what it pushes, put in order and turned into samples.

The app runs on Android and iOS and takes in what their watches measure: it is the way from an Apple Watch or
a Wear OS watch to here. Its format is documented at github.com/tszheichoi/awesome-sensor-logger.
"""
