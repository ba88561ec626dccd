"""What is wanted on Kubernetes, and the objects that are made of it. No cluster is asked."""
