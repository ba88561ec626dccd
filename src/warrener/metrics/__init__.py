"""Metrics for Prometheus: what a worker counts, what it tells of its queue, and the page on which both are served.

What is counted is counted here, in plain numbers, since each task is; prometheus-client (`warrener[metrics]`) only writes
it down, when somebody asks.
"""
