"""Enrolment: a new class, or this wearer's way of a known one, learned on the device without any training.

Example:
    >>> model = load_personal("shoulder", Path("shoulder.enrolled.json"))  # goes wherever a model goes
"""

from img2imu_edge.enrol.apply import load_personal, personalise
from img2imu_edge.enrol.learn import Lesson, learn
from img2imu_edge.enrol.perform import Performance, perform, stretches
from img2imu_edge.enrol.profile import Enrolled, Profile, Repeat, new_profile, read_profile, write_profile

__all__ = [
    "Enrolled",
    "Lesson",
    "Performance",
    "Profile",
    "Repeat",
    "learn",
    "load_personal",
    "new_profile",
    "perform",
    "personalise",
    "read_profile",
    "stretches",
    "write_profile",
]
