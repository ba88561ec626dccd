"""A queue's report as one file of HTML."""

from warrener.report.report import Subject, render

__all__ = ["Subject", "render"]
