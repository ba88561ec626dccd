"""The narrow way to a cluster: plain objects in and out, and errors of our own."""
