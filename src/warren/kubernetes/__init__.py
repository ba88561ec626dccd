"""Kubernetes: capacity for a queue's workers, and a broker where there is none."""
