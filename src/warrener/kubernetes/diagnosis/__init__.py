"""What stands in the way of pods and Jobs, read from their objects and events."""
