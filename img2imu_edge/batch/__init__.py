"""Whole archives: many recordings, all cores or a cluster, one file of results, whatever interrupts."""

from img2imu_edge.batch.files import classify_files
from img2imu_edge.batch.output import Summary, classify_archive
from img2imu_edge.batch.worker import FileResult

__all__ = ["FileResult", "Summary", "classify_archive", "classify_files"]
