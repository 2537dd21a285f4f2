"""Enrolment: a new class, or this wearer's way of a known one, learned on the device without any training.

Example:
    >>> profile = read_profile(Path("shoulder.enrolled.json"), model)
    >>> model = personalise(model, profile)  # goes wherever a model goes
"""

from img2imu_edge.enrol.apply import personalise
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
    "new_profile",
    "perform",
    "personalise",
    "read_profile",
    "stretches",
    "write_profile",
]
